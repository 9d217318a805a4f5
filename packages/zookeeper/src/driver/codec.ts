import { endOf } from './bounds.ts'
import { jute } from './jute.ts'
import type { JuteRecord } from './record-layer.ts'
import {
  added,
  type Fields,
  type FieldType,
  fieldsWithin,
  itemsOf,
  packaged,
  recordIn,
  type ValuesOf,
} from './records.ts'

/** Writes and reads the records of one kind. */
export interface Codec<V> {
  encode(values: V): Buffer
  /** What stands at `offset` (default 0); newer servers may have added something behind. Throws `MalformedError`. */
  decode(bytes: Buffer, offset?: number): V
  /** Where the record at `offset` ends. Throws `MalformedError`. */
  endOf(bytes: Buffer, offset: number): number
}

type Known = typeof packaged & typeof added

const known: Known = { ...packaged, ...added }

/** The codec of a record. */
export function codec<N extends keyof Known>(name: N): Codec<ValuesOf<Known[N]>> {
  const fields: Fields = known[name]
  const make = makerOf(name)
  return {
    encode: (values) => {
      const record = make(taken(fields, values))
      const bytes = Buffer.alloc(record.byteLength())
      record.serialize(bytes, 0)
      return bytes
    },
    decode: (bytes, offset = 0) => {
      endOf(fields, bytes, offset)
      const record = make([])
      record.deserialize(bytes, offset)
      return given(fields, record) as ValuesOf<Known[N]>
    },
    endOf: (bytes, offset) => endOf(fields, bytes, offset),
  }
}

function makerOf(name: keyof Known): (values: readonly unknown[]) => JuteRecord {
  if (isPackaged(name)) {
    const Packaged = jute.protocol[name]
    return (values) => new Packaged(...values)
  }
  const fields: Fields = known[name]
  const specification = Object.entries(fields).map(([field, type]) => ({ name: field, type }))
  return (values) => new jute.Base(specification, values)
}

function isPackaged(name: keyof Known): name is keyof typeof packaged {
  return name in packaged
}

type Values = Readonly<Record<string, unknown>>

// Ours to the package's, in the order of the fields.
function taken(fields: Fields, values: unknown): readonly unknown[] {
  return Object.entries(fields).map(([name, type]) => take(type, (values as Values)[name]))
}

// A long is eight bytes there, and a record within is a record.
function take(type: FieldType, value: unknown): unknown {
  const item = itemsOf(type)
  if (item !== undefined) return (value as readonly unknown[]).map((each) => take(item, each))
  const within = recordIn(type)
  if (within !== undefined) return new jute.data[within](...taken(fieldsWithin(within), value))
  return type === 'long' ? bytesOfLong(value as bigint) : value
}

// The package's to ours.
function given(fields: Fields, record: unknown): Values {
  const values = Object.entries(fields).map(([name, type]) => [name, give(type, (record as Values)[name])])
  return Object.fromEntries(values)
}

function give(type: FieldType, value: unknown): unknown {
  const item = itemsOf(type)
  if (item !== undefined) return ((value ?? []) as readonly unknown[]).map((each) => give(item, each))
  const within = recordIn(type)
  if (within !== undefined) return given(fieldsWithin(within), value)
  switch (type) {
    case 'long':
      return (value as Buffer).readBigInt64BE(0)
    case 'buffer':
      return value ?? Buffer.alloc(0)
    case 'ustring':
      return value ?? ''
    default:
      return value
  }
}

function bytesOfLong(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
