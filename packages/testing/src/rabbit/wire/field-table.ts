import { MalformedMessage } from '../../server/byte-cursor.ts'
import { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { FieldTable, FieldValue, NumberType } from './field-value.ts'

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
export function readTable(from: ByteReader): FieldTable {
  const body = new ByteReader(from.bytes(from.long()))
  const table = new Map<string, FieldValue>()
  while (body.left > 0) table.set(body.shortstr(), readValue(body))
  return table
}

function readValue(from: ByteReader): FieldValue {
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

function readArray(from: ByteReader): readonly FieldValue[] {
  const body = new ByteReader(from.bytes(from.long()))
  const values: FieldValue[] = []
  while (body.left > 0) values.push(readValue(body))
  return values
}

/** Writes a table as {@link readTable} reads it. */
export function writeTable(to: ByteWriter, table: FieldTable): void {
  to.sized(() => {
    for (const [name, value] of table) {
      to.shortstr(name)
      writeValue(to, value)
    }
  })
}

function writeValue(to: ByteWriter, field: FieldValue): void {
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

function writeNumber(to: ByteWriter, type: NumberType, value: number): void {
  const found = formatByType.get(type)
  if (found === undefined) throw new MalformedMessage(`no format for a field of type ${type}`)
  const [tag, format] = found
  tagged(to, tag).raw(eightBytes((bytes) => format.write(bytes, value)).subarray(0, format.size))
}

function tagged(to: ByteWriter, tag: string): ByteWriter {
  to.octet(tag.charCodeAt(0))
  return to
}

function eightBytes(fill: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(8)
  fill(bytes)
  return bytes
}
