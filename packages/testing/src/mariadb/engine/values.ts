import type { ColumnType } from '../wire/answers.ts'
import { type Row, textOf, type Value } from '../wire/values.ts'

/** The order of two values: below, equal to or above zero; undefined when one of them is NULL. */
export function compare(left: Value, right: Value): number | undefined {
  if (left === null || right === null) return undefined
  if (isNumber(left) || isNumber(right)) return order(numberOf(left), numberOf(right))
  if (Buffer.isBuffer(left) || Buffer.isBuffer(right)) return Buffer.compare(bytesOf(left), bytesOf(right))
  return order(left.toLowerCase(), right.toLowerCase())
}

/** Whether a text fits a pattern of `LIKE`. */
export function isLike(text: string, pattern: string): boolean {
  const source = pattern
    .replaceAll(/[.*+?^${}()|[\]]/g, '\\$&')
    .replaceAll('%', '[\\s\\S]*')
    .replaceAll('_', '[\\s\\S]')
    // An escaped `_` stands for itself.
    .replaceAll('\\[\\s\\S]', '_')
  return new RegExp(`^${source}$`, 'i').test(text)
}

/** The number that a value is, or begins with. */
export function numberOf(value: Exclude<Value, null>): number | bigint {
  if (isNumber(value)) return value
  const [digits] = /^\s*-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/i.exec(String(value)) ?? []
  return digits === undefined ? 0 : exactNumber(digits)
}

/** The number that a text writes: a bigint when a number would lose digits. */
export function exactNumber(digits: string): number | bigint {
  const number = Number(digits)
  return Number.isSafeInteger(number) || !/^\s*-?\d+$/.test(digits) ? number : BigInt(digits)
}

/** Adds two values, or subtracts the second one; NULL when one of them is. */
export function add(left: Value, right: Value, sign: 1 | -1 = 1): Value {
  if (left === null || right === null) return null
  const [a, b] = [numberOf(left), numberOf(right)]
  if (!Number.isInteger(Number(a)) || !Number.isInteger(Number(b))) return Number(a) + sign * Number(b)
  return exactNumber(String(BigInt(a) + BigInt(sign) * BigInt(b)))
}

/** A value as a column of that type keeps it. */
export function coerced(value: Value, type: ColumnType): Value {
  if (value === null) return null
  switch (type) {
    case 'int':
    case 'bigint':
    case 'double':
      return numberOf(value)
    case 'blob':
    case 'binary':
      return Buffer.isBuffer(value) ? value : Buffer.from(String(value), 'utf8')
    case 'decimal':
    case 'datetime':
    case 'text':
    case 'char':
    case 'null':
      return Buffer.isBuffer(value) ? value.toString('utf8') : String(value)
  }
}

/** Values as one text that is equal when the default collation, which ignores case, takes them for equal. */
export function keyOf(values: Row): string {
  return values
    .map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value).toLowerCase()))
    .join('-')
}

// The date at which the clock of a test begins.
const epochMs = Date.UTC(2026, 0, 1)

/** A time of the clock as the server writes it, with `digits` decimals of a second. */
export function datetimeText(clockMs: number, digits: number): string {
  return written(epochMs + clockMs, digits)
}

/** A date and time `seconds` earlier; NULL when the text is none. */
export function earlierDatetime(text: string, seconds: number): Value {
  const ms = Date.parse(`${text.replace(' ', 'T')}Z`)
  return Number.isNaN(ms) ? null : written(ms - seconds * 1_000, text.split('.')[1]?.length ?? 0)
}

function written(unixMs: number, digits: number): string {
  const iso = new Date(unixMs).toISOString().replace('T', ' ').slice(0, -1)
  return digits === 0 ? iso.slice(0, 19) : iso.slice(0, 20) + iso.slice(20).padEnd(6, '0').slice(0, digits)
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function bytesOf(value: Exclude<Value, null>): Buffer {
  const text = textOf(value)
  return Buffer.isBuffer(text) ? text : Buffer.from(text, 'utf8')
}

function order<T extends number | bigint | string>(left: T, right: T): number {
  if (left < right) return -1
  return left > right ? 1 : 0
}
