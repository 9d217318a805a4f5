import { textOf, type Value } from '../wire/value.ts'

/** How two values are ordered: below, equal or above zero; undefined when one of them is NULL. */
export function compare(left: Value, right: Value): number | undefined {
  if (left === null || right === null) return undefined
  if (isNumber(left) || isNumber(right)) return order(numberOf(left), numberOf(right))
  if (Buffer.isBuffer(left) || Buffer.isBuffer(right)) return Buffer.compare(bytesOf(left), bytesOf(right))
  return order(folded(left), folded(right))
}

/** A text as the default collation sees it: without case. */
export function folded(text: string): string {
  return text.toLowerCase()
}

/** Whether a value counts as true. */
export function isTrue(value: Value): boolean {
  return value !== null && Number(numberOf(value)) !== 0
}

/** Whether a text fits a pattern of `LIKE`. */
export function isLike(text: string, pattern: string): boolean {
  const source = pattern
    .replaceAll(/[.*+?^${}()|[\]]/g, '\\$&')
    .replaceAll('%', '[\\s\\S]*')
    .replaceAll('_', '[\\s\\S]')
    // An escaped sign stands for itself.
    .replaceAll('\\[\\s\\S]', '_')
  return new RegExp(`^${source}$`, 'i').test(text)
}

/** The number that a value is, or begins with. */
export function numberOf(value: Exclude<Value, null>): number | bigint {
  if (isNumber(value)) return value
  const [digits] = /^\s*-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/i.exec(String(value)) ?? []
  return digits === undefined ? 0 : narrow(digits)
}

function narrow(digits: string): number | bigint {
  const number = Number(digits)
  return Number.isInteger(number) && !Number.isSafeInteger(number) && /^\s*-?\d+$/.test(digits)
    ? BigInt(digits)
    : number
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

function bytesOf(value: string | Buffer | number | bigint): Buffer {
  const text = textOf(value)
  return Buffer.isBuffer(text) ? text : Buffer.from(text, 'utf8')
}

function order<T extends number | bigint | string>(left: T, right: T): number {
  if (left < right) return -1
  return left > right ? 1 : 0
}
