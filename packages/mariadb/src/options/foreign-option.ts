import { Problems } from '@ha/core/driver'
import { readerOf, type Target } from './option-table.ts'
import { type Draft, draftOf } from './overlay.ts'
import { anything, misspelt, type Spelling } from './spelling.ts'

/** An option of another library: it becomes one of ours, means nothing here, or asks for what cannot be. */
export type ForeignOption = MappedOption | IgnoredOption | RejectedOption

export interface MappedOption {
  readonly kind: 'mapped'
  readonly to: Target
  readonly read: Spelling
}

export interface IgnoredOption {
  readonly kind: 'ignored'
  readonly why: string
  readonly read: Spelling
  /** Values that ask for what is so anyway: nothing is said of them. */
  readonly unless: readonly unknown[]
}

export interface RejectedOption {
  readonly kind: 'rejected'
  readonly why: string
  readonly read: Spelling
  /** Values that ask for what is so anyway: they are taken. */
  readonly unless: readonly unknown[]
}

export function mapped(to: Target, read: Spelling): MappedOption {
  return { kind: 'mapped', to, read }
}

export function ignored(
  why: string,
  read: Spelling = anything,
  unless: readonly unknown[] = [],
): IgnoredOption {
  return { kind: 'ignored', why, read, unless }
}

export function rejected(
  why: string,
  read: Spelling = anything,
  unless: readonly unknown[] = [],
): RejectedOption {
  return { kind: 'rejected', why, read, unless }
}

/** The same option under several names. */
export function each<T>(option: T, ...names: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(names.map((name) => [name, option]))
}

/** What one foreign option comes to. */
export interface Translation {
  readonly draft?: Draft
  readonly warning?: string
}

/** Reads one foreign option. Throws `config-invalid` that begins with `place` and never repeats text that was given. */
export function translate(option: ForeignOption, value: unknown, place: string): Translation {
  const read = option.read(value, place)
  switch (option.kind) {
    case 'mapped':
      return read === undefined
        ? { warning: `${place}: 0 is ignored: nothing here waits without a limit` }
        : { draft: checkedDraft(option.to, read, place) }
    case 'ignored':
      return option.unless.includes(read) ? {} : { warning: `${place}: ignored: ${option.why}` }
    case 'rejected':
      if (option.unless.includes(read)) return {}
      throw misspelt(place, option.why)
  }
}

function checkedDraft(to: Target, value: unknown, place: string): Draft {
  const problems = new Problems()
  readerOf(to).read(value, place, problems)
  problems.throwIfAny()
  return draftOf(to, value)
}
