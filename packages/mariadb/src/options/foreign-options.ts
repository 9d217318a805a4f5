import { invalidOption, Problems } from '@ha/core/driver'
import { type OptionPath, readerOf } from './option-table.ts'
import { anyValue, type ValueReader } from './value-readers.ts'

/** An option of another library: mapped to an option of this package, ignored, or rejected. */
export type ForeignOption = MappedOption | IgnoredOption | RejectedOption

export interface MappedOption {
  readonly kind: 'mapped'
  readonly to: OptionPath
  readonly read: ValueReader
}

export interface IgnoredOption {
  readonly kind: 'ignored'
  readonly why: string
  readonly read: ValueReader
  /** Values that match the fixed behaviour: no warning. */
  readonly unless: readonly unknown[]
}

export interface RejectedOption {
  readonly kind: 'rejected'
  readonly why: string
  readonly read: ValueReader
  /** Values that match the fixed behaviour: accepted. */
  readonly unless: readonly unknown[]
}

export function mapped(to: OptionPath, read: ValueReader): MappedOption {
  return { kind: 'mapped', to, read }
}

export function ignored(
  why: string,
  read: ValueReader = anyValue,
  unless: readonly unknown[] = [],
): IgnoredOption {
  return { kind: 'ignored', why, read, unless }
}

export function rejected(
  why: string,
  read: ValueReader = anyValue,
  unless: readonly unknown[] = [],
): RejectedOption {
  return { kind: 'rejected', why, read, unless }
}

/** The same option under several names. */
export function withAliases<T>(option: T, ...names: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(names.map((name) => [name, option]))
}

/** The translation of one foreign option. */
interface Translation {
  readonly draft?: Draft
  readonly warning?: string
}

/** Translates one foreign option. Throws `config-invalid` that begins with `place` and never contains the value. */
export function translate(option: ForeignOption, value: unknown, place: string): Translation {
  const read = option.read(value, place)
  switch (option.kind) {
    case 'mapped':
      return read === undefined
        ? { warning: `${place}: 0 is ignored: every wait has a limit` }
        : { draft: checkedDraft(option.to, read, place) }
    case 'ignored':
      return option.unless.includes(read) ? {} : { warning: `${place}: ignored: ${option.why}` }
    case 'rejected':
      if (option.unless.includes(read)) return {}
      throw invalidOption(place, option.why)
  }
}

function checkedDraft(to: OptionPath, value: unknown, place: string): Draft {
  const problems = new Problems()
  readerOf(to).read(value, place, problems)
  problems.throwIfAny()
  return draftOf(to, value)
}

/** The translation of another library's options: options of this package, and warnings about the ignored ones. */
export interface TranslatedOptions {
  readonly draft: Draft
  readonly warnings: readonly string[]
}

/** Options as given by the caller, unchecked. */
export type Draft = Readonly<Record<string, unknown>>

/** Merges two sets of options, group by group; `above` takes precedence. Undefined values are skipped. */
export function mergeOptions(below: Draft, above: Draft): Draft {
  const merged: Record<string, unknown> = { ...below }
  for (const [key, value] of Object.entries(above)) {
    if (value === undefined) continue
    const under = merged[key]
    merged[key] = isDraft(under) && isDraft(value) ? mergeOptions(under, value) : value
  }
  return merged
}

/** A draft with one option: the path `pool.maximumSize` gives `{ pool: { maximumSize } }`. */
function draftOf(path: string, value: unknown): Draft {
  const [key = '', ...inner] = path.split('.')
  return { [key]: inner.length === 0 ? value : draftOf(inner.join('.'), value) }
}

// Certificates, keys and secure contexts are objects too; they are not merged.
function isDraft(value: unknown): value is Draft {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
