import { invalidOption } from '@ha/core/driver'

/**
 * Reads a value of a Java URL or configuration file: text, number or flag. Returns undefined for a value that means
 * the default; throws `config-invalid` that begins with `place` and never contains the value.
 */
export type ValueReader<T = unknown> = (value: unknown, place: string) => T

/** A flag: true, `true`, `1` or a parameter without a value; false, `false` or `0`. */
export const flag: ValueReader<boolean> = (value, place) => {
  const word = String(value).toLowerCase()
  if (word === 'true' || word === '1') return true
  if (word === 'false' || word === '0') return false
  throw invalidOption(place, 'expected true or false')
}

/** Non-empty text. */
export const nonEmptyText: ValueReader<string> = (value, place) => {
  if (typeof value === 'string' && value !== '') return value
  throw invalidOption(place, 'expected non-empty text')
}

/** Text that may be empty, such as a password. */
export const anyText: ValueReader<string> = (value, place) => {
  if (typeof value === 'string') return value
  throw invalidOption(place, 'expected text')
}

/** Any value; it is not inspected. */
export const anyValue: ValueReader = (value) => value

interface WholeNumberStyle {
  /** Default: a count. Seconds are converted to milliseconds. */
  readonly unit?: 'milliseconds' | 'seconds'
  /** The meaning of 0 where it is not an ordinary number: never, or the default. */
  readonly zero?: 'never' | 'default'
  /** Default 0. */
  readonly min?: number
}

/** A whole number, or its decimal digits as text. */
export function wholeNumber(style: WholeNumberStyle = {}): ValueReader<number | undefined> {
  const { unit, zero, min = 0 } = style
  const kind = unit === undefined ? 'a whole number' : `a whole number of ${unit}`
  const range = zero === undefined || min === 0 ? `from ${min}` : `0, or from ${min}`
  return (value, place) => {
    const number = numberOf(value)
    if (number === 0 && zero !== undefined) return zero === 'never' ? Number.POSITIVE_INFINITY : undefined
    if (number === undefined || number < min) throw invalidOption(place, `expected ${kind}, ${range}`)
    return unit === 'seconds' ? number * 1_000 : number
  }
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) ? number : undefined
}

/** One of a few words, case-insensitive, each with its meaning. */
export function oneOfWords<T>(meanings: ReadonlyMap<string, T>): ValueReader<T> {
  return (value, place) => {
    const meaning = meanings.get(String(value).toLowerCase())
    if (meaning !== undefined) return meaning
    throw invalidOption(place, `expected one of ${[...meanings.keys()].join(', ')}`)
  }
}
