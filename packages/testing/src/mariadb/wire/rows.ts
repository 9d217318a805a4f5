import { ByteWriter } from './byte-writer.ts'
import type { Column } from './column.ts'
import { encodeDatetime } from './datetime.ts'
import { type Row, textOf, type Value } from './value.ts'

const nullMark = 0xfb

/** A row as the answer to `COM_QUERY` carries it: every value as text. */
export function encodeTextRow(row: Row): Buffer {
  const writer = new ByteWriter()
  for (const value of row) {
    if (value === null) writer.octet(nullMark)
    else writer.sized(textOf(value))
  }
  return writer.take()
}

// The null bitmap of a row begins with two bits that are not used.
const bitmapOffset = 2

/** A row as the answer to `COM_STMT_EXECUTE` carries it: a bitmap of nulls, and the others in binary. */
export function encodeBinaryRow(row: Row, columns: readonly Column[]): Buffer {
  const bitmap = Buffer.alloc(Math.floor((columns.length + 7 + bitmapOffset) / 8))
  const writer = new ByteWriter().octet(0).raw(bitmap)
  for (const [i, column] of columns.entries()) {
    const value = row[i] ?? null
    const bit = i + bitmapOffset
    if (value === null) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7))
    else writeBinary(writer, value, column)
  }
  return writer.take()
}

function writeBinary(writer: ByteWriter, value: Exclude<Value, null>, { type }: Column): void {
  switch (type) {
    case 'int':
      writer.long(Number(value))
      return
    case 'bigint':
      writer.longlong(BigInt(String(value)))
      return
    case 'double':
      writer.double(Number(value))
      return
    case 'datetime':
      writer.sized(encodeDatetime(String(value)))
      return
    case 'null':
    case 'decimal':
    case 'text':
    case 'blob':
    case 'binary':
    case 'char':
      writer.sized(textOf(value))
  }
}
