/** A value as a table holds it and a client sees it. Dates are text, such as `2026-01-31 12:00:00`. */
export type Value = null | number | bigint | string | Buffer

/** One row of a result, in the order of its columns. */
export type Row = readonly Value[]

/** The text of a value, as the text protocol sends it. */
export function textOf(value: Exclude<Value, null>): string | Buffer {
  return Buffer.isBuffer(value) ? value : String(value)
}
