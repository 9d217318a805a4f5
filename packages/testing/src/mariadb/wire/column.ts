import { ByteWriter } from './byte-writer.ts'

/** What a column of a result holds, as far as a client can tell. */
export type ColumnType =
  | 'int'
  | 'bigint'
  | 'double'
  | 'decimal'
  | 'datetime'
  | 'null'
  | 'text'
  | 'blob'
  | 'binary'
  | 'char'

/** One column of a result. */
export interface Column {
  readonly name: string
  readonly type: ColumnType
  /** The table that it is read from. Default: none, it is computed. */
  readonly table?: string
}

const utf8mb4 = 45
const binary = 63

// The protocol's numbers of the types, their character sets and how many characters a client may reserve.
const columnTypes: Readonly<Record<ColumnType, { code: number; charset: number; length: number }>> = {
  int: { code: 3, charset: binary, length: 11 },
  bigint: { code: 8, charset: binary, length: 21 },
  double: { code: 5, charset: binary, length: 23 },
  decimal: { code: 246, charset: binary, length: 33 },
  datetime: { code: 12, charset: binary, length: 19 },
  null: { code: 6, charset: binary, length: 0 },
  text: { code: 253, charset: utf8mb4, length: 1_020 },
  char: { code: 254, charset: utf8mb4, length: 4 },
  binary: { code: 253, charset: binary, length: 64 },
  blob: { code: 252, charset: binary, length: 65_535 },
}

// The decimals of a double whose number of digits is not fixed.
const anyDecimals = 31
const fixedFieldsBytes = 12

/** The definition of a column as a payload. */
export function encodeColumn(column: Column, hasExtendedMetadata: boolean): Buffer {
  const { code, charset, length } = columnTypes[column.type]
  const writer = new ByteWriter()
    .sized('def')
    .sized('')
    .sized(column.table ?? '')
    .sized(column.table ?? '')
  writer.sized(column.name).sized(column.table === undefined ? '' : column.name)
  if (hasExtendedMetadata) writer.length(0)
  writer
    .length(fixedFieldsBytes)
    .short(charset)
    .long(length)
    .octet(code)
    .short(charset === binary ? 128 : 0)
  return writer
    .octet(column.type === 'double' ? anyDecimals : 0)
    .zeros(2)
    .take()
}
