import { MalformedMessage } from '../../server/byte-cursor.ts'
import { ByteReader } from './packets.ts'
import { decodeDatetime, type Row, type Value } from './values.ts'

/** A command of a client that is logged in. */
export type Command =
  | { readonly name: 'query'; readonly sql: string }
  | { readonly name: 'prepare'; readonly sql: string }
  /** The body holds the parameters; its format depends on the statement. */
  | { readonly name: 'execute' | 'bulk-execute'; readonly statement: number; readonly body: Buffer }
  | {
      readonly name: 'send-long-data'
      readonly statement: number
      readonly index: number
      readonly bytes: Buffer
    }
  | { readonly name: 'close-statement' | 'reset-statement'; readonly statement: number }
  | { readonly name: 'init-db'; readonly schema: string }
  | { readonly name: 'change-user'; readonly body: Buffer }
  | { readonly name: 'quit' | 'ping' | 'reset-connection' | 'set-option' | 'statistics' }
  | { readonly name: 'unknown'; readonly code: number }

/** The name of a command, as rules and the log use it. */
export type CommandName = Command['name']

/** Reads a command from its packet. */
export function decodeCommand(payload: Buffer): Command {
  const reader = new ByteReader(payload)
  const code = reader.octet()
  return decoders[code]?.(reader) ?? { name: 'unknown', code }
}

const decoders: Readonly<Record<number, (reader: ByteReader) => Command>> = {
  1: () => ({ name: 'quit' }),
  2: (reader) => ({ name: 'init-db', schema: reader.rest().toString('utf8') }),
  3: (reader) => ({ name: 'query', sql: reader.rest().toString('utf8') }),
  9: () => ({ name: 'statistics' }),
  14: () => ({ name: 'ping' }),
  17: (reader) => ({ name: 'change-user', body: reader.rest() }),
  22: (reader) => ({ name: 'prepare', sql: reader.rest().toString('utf8') }),
  23: (reader) => ({ name: 'execute', statement: reader.long(), body: reader.rest() }),
  24: (reader) => ({
    name: 'send-long-data',
    statement: reader.long(),
    index: reader.short(),
    bytes: Buffer.from(reader.rest()),
  }),
  25: (reader) => ({ name: 'close-statement', statement: reader.long() }),
  26: (reader) => ({ name: 'reset-statement', statement: reader.long() }),
  27: () => ({ name: 'set-option' }),
  31: () => ({ name: 'reset-connection' }),
  250: (reader) => ({ name: 'bulk-execute', statement: reader.long(), body: reader.rest() }),
}

/** The parameters of one execution, and their types, which a client sends only with the first one. */
interface Bound {
  readonly values: Row
  readonly types: readonly number[]
}

/** What the parameters of an execution are read against. */
export interface Expected {
  readonly count: number
  /** The types of the last execution. */
  readonly types: readonly number[]
  /** Values that `COM_STMT_SEND_LONG_DATA` has sent ahead, by index. */
  readonly longData: ReadonlyMap<number, Buffer>
}

// The cursor flags and the iteration count, which is always 1.
const executeHeaderBytes = 5

/** Reads the parameters of `COM_STMT_EXECUTE`. */
export function decodeParameters(body: Buffer, { count, types, longData }: Expected): Bound {
  const reader = new ByteReader(body)
  reader.bytes(executeHeaderBytes)
  if (count === 0) return { values: [], types }
  const nulls = reader.bytes(Math.floor((count + 7) / 8))
  const sent = reader.octet() === 1 ? readTypes(reader, count) : types
  const values = sent.map((type, i): Value => {
    const ahead = longData.get(i)
    if (ahead !== undefined) return ahead
    const isNull = ((nulls[i >> 3] ?? 0) & (1 << (i & 7))) !== 0
    return isNull ? null : readValue(reader, type)
  })
  return { values, types: sent }
}

const sendsTypes = 128
const bulkIndicator = { value: 0, null: 1 } as const

/** Reads the parameters of `COM_STMT_BULK_EXECUTE`: row after row. */
export function decodeBulk(body: Buffer, count: number): readonly Row[] {
  const reader = new ByteReader(body)
  if ((reader.short() & sendsTypes) === 0)
    throw new MalformedMessage('a bulk command must send its parameter types')
  const types = readTypes(reader, count)
  const rows: Row[] = []
  while (reader.left > 0) {
    rows.push(
      types.map((type) => (readIndicator(reader) === bulkIndicator.null ? null : readValue(reader, type))),
    )
  }
  return rows
}

function readIndicator(reader: ByteReader): number {
  const indicator = reader.octet()
  if (indicator === bulkIndicator.value || indicator === bulkIndicator.null) return indicator
  throw new MalformedMessage(`bulk values DEFAULT and IGNORE are not supported: ${indicator}`)
}

function readTypes(reader: ByteReader, count: number): readonly number[] {
  // The upper byte marks unsigned numbers, which the fake server reads as signed.
  return Array.from({ length: count }, () => reader.short() & 0xff)
}

function readValue(reader: ByteReader, type: number): Value {
  const read = readers[type]
  if (read !== undefined) return read(reader)
  return reader.sized().toString('utf8')
}

const blob = (reader: ByteReader): Value => Buffer.from(reader.sized())
const datetime = (reader: ByteReader): Value => decodeDatetime(reader.bytes(reader.octet()))

// Every other type is a length-encoded text.
const readers: Readonly<Record<number, (reader: ByteReader) => Value>> = {
  1: (reader) => reader.signed(1),
  2: (reader) => reader.signed(2),
  3: (reader) => reader.signed(4),
  4: (reader) => reader.float(),
  5: (reader) => reader.double(),
  6: () => null,
  7: datetime,
  8: (reader) => narrow(reader.longlong()),
  10: datetime,
  12: datetime,
  249: blob,
  250: blob,
  251: blob,
  252: blob,
}

function narrow(value: bigint): Value {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
