import type { Row, Value } from '../wire/value.ts'
import { folded } from './compare.ts'

/** Values as one text, equal when the collation takes them for equal. */
export function keyOf(values: Row): string {
  return values.map(partOf).join('-')
}

/** Values as the server names them in a message. */
export function shownKey(values: Row): string {
  return values.map((value) => String(value)).join('-')
}

function partOf(value: Value): string {
  if (typeof value === 'string') return folded(value)
  return Buffer.isBuffer(value) ? value.toString('latin1') : String(value)
}
