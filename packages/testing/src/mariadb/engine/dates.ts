import type { Value } from '../wire/value.ts'
import { numberOf } from './compare.ts'

// Where the clock of a test begins.
const beginningMs = Date.UTC(2026, 0, 1)

/** A time of the clock as the server writes it, with so many digits of a second behind its point. */
export function dateText(clockMs: number, digits: number): string {
  return written(beginningMs + clockMs, digits)
}

/** A date so many seconds later, or with the sign -1 earlier; null when one of them is, or when it is no date. */
export function shiftedDate(date: Value, seconds: Value, sign: 1 | -1): Value {
  if (date === null || seconds === null) return null
  const text = String(date)
  const ms = Date.parse(`${text.replace(' ', 'T')}${text.length > 10 ? '' : 'T00:00:00'}Z`)
  if (Number.isNaN(ms)) return null
  const digits = text.split('.')[1]?.length ?? 0
  return written(ms + sign * Number(numberOf(seconds)) * 1_000, digits)
}

function written(ms: number, digits: number): string {
  const iso = new Date(ms).toISOString().replace('T', ' ').slice(0, -1)
  return digits === 0 ? iso.slice(0, 19) : iso.slice(0, 20) + iso.slice(20).padEnd(6, '0').slice(0, digits)
}
