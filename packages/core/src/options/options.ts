import { didYouMean } from '../address/nearest.ts'
import { HaError, isHaError } from '../errors/ha-error.ts'

/**
 * Reads one option: returns the value, or notes what was expected and returns anything. `undefined` stands for *not
 * given*; `null` stands for nothing and is refused.
 */
export interface OptionReader<T> {
  read(value: unknown, path: string, problems: Problems): T
}

/** Everything that is wrong with the options, gathered so that the user sees all of it at once. */
export class Problems {
  readonly #found: string[] = []

  /** Notes an error that names its own place. */
  addError(error: unknown): void {
    this.#found.push(error instanceof Error ? error.message : String(error))
  }

  /** Notes that at `path` something else was expected. Never give it a value that may be a secret. */
  add(path: string, problem: string): void {
    this.#found.push(`${path}: ${problem}`)
  }

  /** Throws `config-invalid` when anything was found. */
  throwIfAny(): void {
    if (this.#found.length > 0) throw new HaError('config-invalid', this.#found.join('\n'))
  }
}

/** A table of readers, one for each key. */
export type OptionTable<T> = { readonly [K in keyof T]-?: OptionReader<T[K]> }

/**
 * Reads options against their table, once, at the door: every key checked, defaults filled in, the result frozen.
 * Throws one `config-invalid` that names every problem with its path and the nearest right word.
 */
export function resolveOptions<T>(table: OptionTable<T>, input: unknown, path: string): T {
  const problems = new Problems()
  const resolved = group(table).read(input, path, problems)
  problems.throwIfAny()
  return resolved
}

/** An object with a table of its own; not given, it takes all its defaults. */
export function group<T>(table: OptionTable<T>): OptionReader<T> {
  const keys = Object.keys(table) as (keyof T & string)[]
  return {
    read(value, path, problems) {
      const given = objectOr(value, path, problems)
      nameStrangers(given, keys, path, problems)
      const resolved: Partial<T> = {}
      for (const key of keys) resolved[key] = table[key].read(given[key], `${path}.${key}`, problems)
      return Object.freeze(resolved) as T
    },
  }
}

function objectOr(value: unknown, path: string, problems: Problems): Readonly<Record<string, unknown>> {
  if (value === undefined) return {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  problems.add(path, `expected an object, got ${kindOf(value)}`)
  return {}
}

function nameStrangers(given: object, keys: readonly string[], path: string, problems: Problems): void {
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (!keys.includes(key)) problems.add(`${path}.${key}`, `there is no such option${didYouMean(key, keys)}`)
  }
}

export interface NumberRange {
  readonly default: number
  readonly min: number
  readonly max: number
  /** Whether `Infinity` is allowed beside the range, for *never*. Default false. */
  readonly orNever?: boolean
}

/** A whole number of milliseconds. */
export function milliseconds(range: NumberRange): OptionReader<number> {
  return numberIn(range, ' of milliseconds')
}

/** A whole number. */
export function count(range: NumberRange): OptionReader<number> {
  return numberIn(range, '')
}

function numberIn(range: NumberRange, unit: string): OptionReader<number> {
  const never = range.orNever === true ? ', or Infinity' : ''
  return {
    read(value, path, problems) {
      if (value === undefined) return range.default
      if (value === Number.POSITIVE_INFINITY && range.orNever === true) return value
      const fits = Number.isInteger(value) && Number(value) >= range.min && Number(value) <= range.max
      if (!fits) {
        problems.add(
          path,
          `expected a whole number${unit} from ${range.min} to ${range.max}${never}, got ${shown(value)}`,
        )
      }
      return fits ? Number(value) : range.default
    },
  }
}

/** An option without a default of its own: undefined when it is not given. */
export function optional<T>(reader: OptionReader<T>): OptionReader<T | undefined> {
  return {
    read: (value, path, problems) => (value === undefined ? undefined : reader.read(value, path, problems)),
  }
}

/** One of a few words. */
export function oneOf<W extends string>(words: readonly W[], fallback: W): OptionReader<W> {
  return {
    read(value, path, problems) {
      if (value === undefined) return fallback
      const word = words.find((candidate) => candidate === value)
      if (word === undefined) {
        const hint = typeof value === 'string' ? didYouMean(value, words) : ''
        problems.add(path, `expected one of ${words.join(', ')}, got ${shown(value)}${hint}`)
      }
      return word ?? fallback
    },
  }
}

/** Text that must not be empty. */
export function text(fallback: string): OptionReader<string> {
  return {
    read(value, path, problems) {
      if (value === undefined) return fallback
      if (value === '') problems.add(path, 'expected text that is not empty')
      else if (typeof value !== 'string') problems.add(path, `expected text, got ${kindOf(value)}`)
      return typeof value === 'string' ? value : fallback
    },
  }
}

/** Whether or not. */
export function flag(fallback: boolean): OptionReader<boolean> {
  return {
    read(value, path, problems) {
      if (value === undefined) return fallback
      if (typeof value !== 'boolean') problems.add(path, `expected true or false, got ${shown(value)}`)
      return value === true
    },
  }
}

/**
 * An option whose check is particular: `check` throws a `config-invalid` or returns the value; given `undefined`, it
 * returns the default. `null` is refused whatever the check makes of it.
 */
export function checked<T>(check: (value: unknown, path: string) => T, fallback: T): OptionReader<T> {
  return {
    read(value, path, problems) {
      try {
        const read = check(value, path)
        if (value !== null) return read
        problems.add(path, 'expected a value, got null')
      } catch (error) {
        // A check that breaks on what it was given has not said what it expects.
        if (isHaError(error)) problems.addError(error)
        else problems.add(path, `expected something else, got ${kindOf(value)}`)
      }
      return fallback
    },
  }
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : typeof value === 'number' ? String(value) : kindOf(value)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
