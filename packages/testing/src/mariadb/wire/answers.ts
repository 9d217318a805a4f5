import { capability, statusFlag } from './handshake.ts'
import { ByteWriter } from './packets.ts'
import { encodeDatetime, type Row, textOf, type Value } from './values.ts'

/** How an answer is put into packets. */
interface Encoding {
  /** The negotiated capabilities. */
  readonly capabilities: bigint
  /** The bits of {@link statusFlag} that go with it. */
  readonly status: number
  readonly rows: 'text' | 'binary'
}

const eofMark = 0xfe
const errorMark = 0xff

/** The payloads of an answer. */
export function encodeAnswer(answer: Answer, encoding: Encoding): readonly Buffer[] {
  switch (answer.kind) {
    case 'ok':
      return [encodeOk(answer, encoding, 0)]
    case 'error':
      return [encodeError(answer)]
    case 'rows':
      return encodeRows(answer, encoding)
  }
}

/** An error as a payload. */
export function encodeError({ errno, sqlState, message }: ErrorAnswer): Buffer {
  const writer = new ByteWriter().octet(errorMark).short(errno)
  if (sqlState !== undefined) writer.text(`#${sqlState}`)
  return writer.text(message).take()
}

// The end of a list of columns, for clients that still expect one.
function encodeEof(status: number): Buffer {
  return new ByteWriter().octet(eofMark).short(0).short(status).take()
}

function encodeOk(answer: OkAnswer, { capabilities, status }: Encoding, mark: number): Buffer {
  const isTracked = answer.tracked.length > 0 && (capabilities & capability.sessionTrack) !== 0n
  const writer = new ByteWriter().octet(mark).length(answer.affectedRows).length(answer.insertId)
  writer.short(isTracked ? status | statusFlag.sessionStateChanged : status).short(answer.warnings)
  if (!isTracked) return writer.take()
  return writer
    .sized('')
    .sized(Buffer.concat(answer.tracked.map(encodeTracked)))
    .take()
}

const trackedType = { variable: 0, schema: 1 } as const

function encodeTracked(tracked: Tracked): Buffer {
  const body = new ByteWriter().sized(tracked.name)
  if (tracked.kind === 'variable') body.sized(tracked.value)
  return new ByteWriter().octet(trackedType[tracked.kind]).sized(body.take()).take()
}

function encodeRows({ columns, rows }: RowsAnswer, encoding: Encoding): readonly Buffer[] {
  const { capabilities, status } = encoding
  const hasEof = (capabilities & capability.deprecateEof) === 0n
  const end = hasEof ? encodeEof(status) : encodeOk(okAnswer, encoding, eofMark)
  return [
    new ByteWriter().length(columns.length).take(),
    ...columns.map(encodeColumn),
    ...(hasEof ? [encodeEof(status)] : []),
    ...rows.map((row) => (encoding.rows === 'text' ? encodeTextRow(row) : encodeBinaryRow(row, columns))),
    end,
  ]
}

/** The answer to a command: OK, a result set or an error. */
export type Answer = OkAnswer | RowsAnswer | ErrorAnswer

/** The command is done. */
export interface OkAnswer {
  readonly kind: 'ok'
  readonly affectedRows: number
  /** The first value that an `AUTO_INCREMENT` gave, or 0. */
  readonly insertId: number
  /** How many warnings the server would list. */
  readonly warnings: number
  /** Changes of the session's state, for clients that track it. */
  readonly tracked: readonly Tracked[]
}

/** A result set. */
export interface RowsAnswer {
  readonly kind: 'rows'
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
}

/** An error of the server. */
export interface ErrorAnswer {
  readonly kind: 'error'
  readonly errno: number
  /** Undefined for an error before the greeting, which has none. */
  readonly sqlState: string | undefined
  readonly message: string
}

/** A change of the session that an answer carries along. */
export type Tracked =
  | { readonly kind: 'variable'; readonly name: string; readonly value: string }
  | { readonly kind: 'schema'; readonly name: string }

/** The answer to a command that changed nothing. */
export const okAnswer: OkAnswer = { kind: 'ok', affectedRows: 0, insertId: 0, warnings: 0, tracked: [] }

const nullMark = 0xfb

// A row as the answer to `COM_QUERY` carries it: every value as text.
function encodeTextRow(row: Row): Buffer {
  const writer = new ByteWriter()
  for (const value of row) {
    if (value === null) writer.octet(nullMark)
    else writer.sized(textOf(value))
  }
  return writer.take()
}

// The null bitmap of a row begins with two bits that are not used.
const bitmapOffset = 2

// A row as the answer to `COM_STMT_EXECUTE` carries it: a bitmap of nulls, and the other values in binary.
function encodeBinaryRow(row: Row, columns: readonly Column[]): Buffer {
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

/**
 * The payloads of the answer to `COM_STMT_PREPARE`. The columns come with each result: the protocol allows none here, as
 * for a statement without a result.
 */
export function encodePrepared(
  statement: number,
  parameters: number,
  { capabilities, status }: Omit<Encoding, 'rows'>,
): readonly Buffer[] {
  const header = new ByteWriter().octet(0).long(statement).short(0).short(parameters).zeros(3).take()
  if (parameters === 0) return [header]
  const definition = encodeColumn({ name: '?', type: 'text' })
  const hasEof = (capabilities & capability.deprecateEof) === 0n
  const definitions = Array.from({ length: parameters }, () => definition)
  return [header, ...definitions, ...(hasEof ? [encodeEof(status)] : [])]
}

/** The type of a column, as far as the protocol shows it. */
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
  /** The table that it belongs to. Default: none, it is computed. */
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

// The definition of a column as a payload.
function encodeColumn(column: Column): Buffer {
  const { code, charset, length } = columnTypes[column.type]
  const writer = new ByteWriter()
    .sized('def')
    .sized('')
    .sized(column.table ?? '')
    .sized(column.table ?? '')
  writer.sized(column.name).sized(column.table === undefined ? '' : column.name)
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
