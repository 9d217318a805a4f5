import { ByteReader, ByteWriter } from './packets.ts'

/** A value of a table or of a result. Dates are text, such as `2026-01-31 12:00:00`. */
export type Value = null | number | bigint | string | Buffer

/** One row of a result, in the order of its columns. */
export type Row = readonly Value[]

/** The text of a value, as the text protocol sends it. */
export function textOf(value: Exclude<Value, null>): string | Buffer {
  return Buffer.isBuffer(value) ? value : String(value)
}

const pattern = /^(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,6}))?)?$/

/** A date in binary, without its length, in the shortest form. */
export function encodeDatetime(text: string): Buffer {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] =
    pattern
      .exec(text)
      ?.slice(1, 7)
      .map((digits) => Number(digits ?? 0)) ?? []
  const micros = Number((pattern.exec(text)?.[7] ?? '').padEnd(6, '0'))
  const writer = new ByteWriter().short(year).octet(month).octet(day)
  if (hour + minute + second + micros === 0) return writer.take()
  writer.octet(hour).octet(minute).octet(second)
  return (micros === 0 ? writer : writer.long(micros)).take()
}

/** The text of a date that a client sent in binary. */
export function decodeDatetime(bytes: Buffer): string {
  const reader = new ByteReader(bytes)
  if (reader.left === 0) return '0000-00-00 00:00:00'
  const date = [reader.short().toString().padStart(4, '0'), two(reader.octet()), two(reader.octet())].join(
    '-',
  )
  if (reader.left === 0) return `${date} 00:00:00`
  const time = [two(reader.octet()), two(reader.octet()), two(reader.octet())].join(':')
  const micros = reader.left === 0 ? 0 : reader.long()
  return micros === 0 ? `${date} ${time}` : `${date} ${time}.${micros.toString().padStart(6, '0')}`
}

function two(digits: number): string {
  return digits.toString().padStart(2, '0')
}
