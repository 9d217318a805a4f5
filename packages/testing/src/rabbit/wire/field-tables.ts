import { MalformedMessage } from '../../server/byte-cursor.ts'
import { AmqpReader, type AmqpWriter } from './bytes.ts'

/**
 * A value in a field table with the type it has on the wire, named as RabbitMQ names it in its reply texts. The type is
 * kept because queue arguments are compared with their types, and because a header must be sent as it was received.
 */
export type FieldValue =
  | { readonly type: NumberType; readonly value: number }
  | { readonly type: 'long'; readonly value: bigint }
  | { readonly type: 'longstr'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'decimal'; readonly value: Decimal }
  | { readonly type: 'binary'; readonly value: Buffer }
  | { readonly type: 'array'; readonly value: readonly FieldValue[] }
  | { readonly type: 'table'; readonly value: FieldTable }
  | { readonly type: 'void'; readonly value: null }

/** The types whose values are plain numbers here. */
type NumberType =
  | 'byte'
  | 'unsignedbyte'
  | 'short'
  | 'unsignedshort'
  | 'signedint'
  | 'unsignedint'
  | 'float'
  | 'double'
  | 'timestamp'

/** A number with so many places behind the point. */
interface Decimal {
  readonly places: number
  readonly digits: number
}

/** Names and values in the order in which they came. */
export type FieldTable = ReadonlyMap<string, FieldValue>

/** A table without fields. */
export const emptyTable: FieldTable = new Map()

/** What {@link fieldTable} makes a table of. */
type PlainValue = string | number | boolean | null | readonly PlainValue[] | PlainTable

/** Plain values by name. */
interface PlainTable {
  readonly [name: string]: PlainValue
}

/** A table out of plain values: text is longstr, a whole number signedint, another one double. */
export function fieldTable(plain: PlainTable): FieldTable {
  return new Map(Object.entries(plain).map(([name, value]) => [name, fieldValue(value)]))
}

/** One {@link FieldValue} out of a plain value. */
function fieldValue(plain: PlainValue): FieldValue {
  if (plain === null) return { type: 'void', value: null }
  if (typeof plain === 'string') return { type: 'longstr', value: plain }
  if (typeof plain === 'boolean') return { type: 'bool', value: plain }
  if (typeof plain === 'number')
    return { type: Number.isInteger(plain) ? 'signedint' : 'double', value: plain }
  if (isList(plain)) return { type: 'array', value: plain.map(fieldValue) }
  return { type: 'table', value: fieldTable(plain) }
}

function isList(plain: readonly PlainValue[] | PlainTable): plain is readonly PlainValue[] {
  return Array.isArray(plain)
}

/** A table as a plain object, to be read by people and compared by tests. */
export function plainTable(table: FieldTable): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...table].map(([name, value]) => [name, plainValue(value)]))
}

function plainValue(field: FieldValue): unknown {
  if (field.type === 'table') return plainTable(field.value)
  if (field.type === 'array') return field.value.map(plainValue)
  if (field.type === 'long') return Number(field.value)
  return field.value
}

interface NumberFormat {
  readonly type: NumberType
  readonly size: number
  readonly read: (bytes: Buffer) => number
  readonly write: (bytes: Buffer, value: number) => void
}

// The letters that RabbitMQ uses, which are not those of the published specification.
const numberFormats: Readonly<Record<string, NumberFormat>> = {
  b: { type: 'byte', size: 1, read: (b) => b.readInt8(), write: (b, v) => b.writeInt8(v) },
  B: { type: 'unsignedbyte', size: 1, read: (b) => b.readUInt8(), write: (b, v) => b.writeUInt8(v) },
  s: { type: 'short', size: 2, read: (b) => b.readInt16BE(), write: (b, v) => b.writeInt16BE(v) },
  u: { type: 'unsignedshort', size: 2, read: (b) => b.readUInt16BE(), write: (b, v) => b.writeUInt16BE(v) },
  I: { type: 'signedint', size: 4, read: (b) => b.readInt32BE(), write: (b, v) => b.writeInt32BE(v) },
  i: { type: 'unsignedint', size: 4, read: (b) => b.readUInt32BE(), write: (b, v) => b.writeUInt32BE(v) },
  f: { type: 'float', size: 4, read: (b) => b.readFloatBE(), write: (b, v) => b.writeFloatBE(v) },
  d: { type: 'double', size: 8, read: (b) => b.readDoubleBE(), write: (b, v) => b.writeDoubleBE(v) },
  T: {
    type: 'timestamp',
    size: 8,
    read: (b) => Number(b.readBigUInt64BE()),
    write: (b, v) => b.writeBigUInt64BE(BigInt(v)),
  },
}

const formatByType: ReadonlyMap<string, readonly [string, NumberFormat]> = new Map(
  Object.entries(numberFormats).map(([tag, format]) => [format.type, [tag, format]]),
)

/** Reads a table: its length, then names and values. */
export function readTable(from: AmqpReader): FieldTable {
  const body = new AmqpReader(from.bytes(from.long()))
  const table = new Map<string, FieldValue>()
  while (body.left > 0) table.set(body.shortstr(), readValue(body))
  return table
}

function readValue(from: AmqpReader): FieldValue {
  const tag = from.text(1)
  const format = numberFormats[tag]
  if (format !== undefined) return { type: format.type, value: format.read(from.bytes(format.size)) }
  switch (tag) {
    case 'S':
      return { type: 'longstr', value: from.longstr() }
    case 't':
      return { type: 'bool', value: from.octet() !== 0 }
    case 'l':
      return { type: 'long', value: from.bytes(8).readBigInt64BE() }
    case 'D':
      return { type: 'decimal', value: { places: from.octet(), digits: from.long() } }
    case 'x':
      return { type: 'binary', value: from.bytes(from.long()) }
    case 'A':
      return { type: 'array', value: readArray(from) }
    case 'F':
      return { type: 'table', value: readTable(from) }
    case 'V':
      return { type: 'void', value: null }
    default:
      throw new MalformedMessage(`a field of the unknown type '${tag}'`)
  }
}

function readArray(from: AmqpReader): readonly FieldValue[] {
  const body = new AmqpReader(from.bytes(from.long()))
  const values: FieldValue[] = []
  while (body.left > 0) values.push(readValue(body))
  return values
}

/** Writes a table as {@link readTable} reads it. */
export function writeTable(to: AmqpWriter, table: FieldTable): void {
  to.sized(() => {
    for (const [name, value] of table) {
      to.shortstr(name)
      writeValue(to, value)
    }
  })
}

function writeValue(to: AmqpWriter, field: FieldValue): void {
  switch (field.type) {
    case 'longstr':
      tagged(to, 'S').longstr(field.value)
      return
    case 'bool':
      tagged(to, 't').octet(field.value ? 1 : 0)
      return
    case 'long':
      tagged(to, 'l').raw(eightBytes((bytes) => bytes.writeBigInt64BE(field.value)))
      return
    case 'decimal':
      tagged(to, 'D').octet(field.value.places)
      to.long(field.value.digits)
      return
    case 'binary':
      tagged(to, 'x').sized(() => to.raw(field.value))
      return
    case 'array':
      tagged(to, 'A').sized(() => {
        for (const value of field.value) writeValue(to, value)
      })
      return
    case 'table':
      writeTable(tagged(to, 'F'), field.value)
      return
    case 'void':
      tagged(to, 'V')
      return
    default:
      writeNumber(to, field.type, field.value)
  }
}

function writeNumber(to: AmqpWriter, type: NumberType, value: number): void {
  const found = formatByType.get(type)
  if (found === undefined) throw new MalformedMessage(`no format for a field of type ${type}`)
  const [tag, format] = found
  tagged(to, tag).raw(eightBytes((bytes) => format.write(bytes, value)).subarray(0, format.size))
}

function tagged(to: AmqpWriter, tag: string): AmqpWriter {
  to.octet(tag.charCodeAt(0))
  return to
}

function eightBytes(fill: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(8)
  fill(bytes)
  return bytes
}
