import { createRequire } from 'node:module'
import { isHaError } from '@ha/core'
import { ZookeeperError } from '../errors.ts'
import { MalformedError } from './error-codes.ts'
import {
  addedRecords,
  dataRecords,
  type Fields,
  type FieldType,
  fieldsWithin,
  itemsOf,
  packageRecords,
  recordIn,
  type ValuesOf,
} from './records.ts'

/** Encodes and decodes the records of one kind. */
interface Codec<V> {
  encode(values: V): Buffer
  /**
   * Decodes the record at `offset` (default 0); newer servers may append fields, which are ignored. Throws
   * `MalformedError`.
   */
  decode(bytes: Buffer, offset?: number): V
  /** Where the record at `offset` ends. Throws `MalformedError`. */
  endOf(bytes: Buffer, offset: number): number
}

type Known = typeof packageRecords & typeof addedRecords

const known: Known = { ...packageRecords, ...addedRecords }

/** The codec of a record. */
export function codec<N extends keyof Known>(name: N): Codec<ValuesOf<Known[N]>> {
  const fields: Fields = known[name]
  const make = makerOf(name)
  return {
    encode: (values) => {
      const record = make(toPackage(fields, values))
      const bytes = Buffer.alloc(record.byteLength())
      record.serialize(bytes, 0)
      return bytes
    },
    decode: (bytes, offset = 0) => {
      recordEnd(fields, bytes, offset)
      const record = make([])
      record.deserialize(bytes, offset)
      return fromPackage(fields, record) as ValuesOf<Known[N]>
    },
    endOf: (bytes, offset) => recordEnd(fields, bytes, offset),
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

function isPackaged(name: keyof Known): name is keyof typeof packageRecords {
  return name in packageRecords
}

type Values = Readonly<Record<string, unknown>>

// Converts values for the package, in the order of the fields.
function toPackage(fields: Fields, values: unknown): readonly unknown[] {
  return Object.entries(fields).map(([name, type]) => fieldToPackage(type, (values as Values)[name]))
}

// The package has a long as eight bytes, and a nested record as a record.
function fieldToPackage(type: FieldType, value: unknown): unknown {
  const item = itemsOf(type)
  if (item !== undefined) return (value as readonly unknown[]).map((each) => fieldToPackage(item, each))
  const within = recordIn(type)
  if (within !== undefined) return new jute.data[within](...toPackage(fieldsWithin(within), value))
  return type === 'long' ? bytesOfLong(value as bigint) : value
}

// Converts a record of the package to values.
function fromPackage(fields: Fields, record: unknown): Values {
  const values = Object.entries(fields).map(([name, type]) => [
    name,
    fieldFromPackage(type, (record as Values)[name]),
  ])
  return Object.fromEntries(values)
}

function fieldFromPackage(type: FieldType, value: unknown): unknown {
  const item = itemsOf(type)
  if (item !== undefined)
    return ((value ?? []) as readonly unknown[]).map((each) => fieldFromPackage(item, each))
  const within = recordIn(type)
  if (within !== undefined) return fromPackage(fieldsWithin(within), value)
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

/**
 * The end of the record at `offset`. The package trusts every length that it reads (it allocates the memory, and
 * fills up what is missing), so each length is checked before. Throws {@link MalformedError}.
 */
function recordEnd(fields: Fields, bytes: Buffer, offset: number): number {
  let end = offset
  for (const [name, type] of Object.entries(fields)) end = fieldEnd(type, name, bytes, end)
  return end
}

function fieldEnd(type: FieldType, name: string, bytes: Buffer, offset: number): number {
  switch (type) {
    case 'int':
      return advance(4, name, bytes, offset)
    case 'long':
      return advance(8, name, bytes, offset)
    case 'boolean':
      return advance(1, name, bytes, offset)
    case 'buffer':
    case 'ustring':
      return advance(lengthAt(name, bytes, offset), name, bytes, offset + 4)
    case 'vector<ustring>':
      return itemsEnd('ustring', name, bytes, offset)
    case 'vector<data.ACL>':
      return itemsEnd('data.ACL', name, bytes, offset)
    case 'data.Id':
      return recordEnd(dataRecords.Id, bytes, offset)
    case 'data.ACL':
      return recordEnd(dataRecords.ACL, bytes, offset)
    case 'data.Stat':
      return recordEnd(dataRecords.Stat, bytes, offset)
  }
}

function itemsEnd(item: FieldType, name: string, bytes: Buffer, offset: number): number {
  let end = offset + 4
  for (let left = lengthAt(name, bytes, offset); left > 0; left--) end = fieldEnd(item, name, bytes, end)
  return end
}

// A length of -1 stands for null.
function lengthAt(name: string, bytes: Buffer, offset: number): number {
  advance(4, name, bytes, offset)
  const length = bytes.readInt32BE(offset)
  if (length < -1) throw new MalformedError(`'${name}' at byte ${offset} has the length ${length}`)
  return Math.max(0, length)
}

function advance(length: number, name: string, bytes: Buffer, offset: number): number {
  const end = offset + length
  if (end > bytes.length) {
    throw new MalformedError(`'${name}' needs ${length} bytes at byte ${offset}, of ${bytes.length}`)
  }
  return end
}

/** A field in the package's terms: a name, and a type such as `int` or `vector<ustring>`. */
interface JuteField {
  readonly name: string
  readonly type: string
}

/** A record of the package. Its fields are own properties; it serializes itself. */
interface JuteRecord {
  readonly specification: readonly JuteField[]
  byteLength(): number
  serialize(buffer: Buffer, offset: number): number
  deserialize(buffer: Buffer, offset: number): number
}

/** The constructor of one kind of record: the values are in the order of the fields. */
type JuteClass = new (...values: readonly unknown[]) => JuteRecord

/** The constructor of any record: all classes of the package inherit from it. */
type JuteBase = new (specification: readonly JuteField[], values: readonly unknown[]) => JuteRecord

/**
 * The part of the package that is used: its records, and neither its client nor its connections nor its watches.
 */
interface RecordLayer {
  readonly protocol: Readonly<Record<keyof typeof packageRecords, JuteClass>>
  readonly data: Readonly<Record<keyof typeof dataRecords, JuteClass>>
  /** Not exported by the package: found through the prototypes of its classes. */
  readonly Base: JuteBase
}

const expectedVersion = '1.1.3'

/**
 * Checks that `lib/jute` of the package is the known one: every record that is used has the expected fields, and known
 * values become known bytes. Throws `internal`, and names what has changed.
 */
export function checkJute(found: unknown, version: string): RecordLayer {
  const fail: Fail = (what, cause) => {
    const expected = `node-zookeeper-client ${expectedVersion} was expected and ${version} found`
    const message = `${expected}, which differs inside: ${what}. Install ${expectedVersion}`
    throw new ZookeeperError('internal', message, { cause })
  }
  try {
    const exported = (found ?? {}) as Readonly<Record<string, Classes | undefined>>
    checkRecords(exported['data'], dataRecords, 'data', fail)
    checkRecords(exported['protocol'], packageRecords, 'protocol', fail)
    const layer = withBase(exported as unknown as RecordLayer)
    checkBytes(layer, fail)
    return layer
  } catch (thrown) {
    return isHaError(thrown)
      ? raise(thrown)
      : fail('its records cannot be created, encoded and decoded', thrown)
  }
}

type Fail = (what: string, cause?: unknown) => never

type Classes = Readonly<Record<string, JuteClass>>

function raise(error: Error): never {
  throw error
}

function checkRecords(
  classes: Classes | undefined,
  expected: Readonly<Record<string, Fields>>,
  kind: string,
  fail: Fail,
): void {
  for (const [name, fields] of Object.entries(expected)) {
    const Class = classes?.[name] ?? fail(`there is no record ${kind}.${name}`)
    const actual = new Class().specification.map((field) => `${field.name} ${field.type}`).join(', ')
    const expectedFields = Object.entries(fields)
      .map(([field, type]) => `${field} ${type}`)
      .join(', ')
    if (actual !== expectedFields)
      fail(`the record ${kind}.${name} is (${actual}) and not (${expectedFields})`)
  }
}

function withBase({ protocol, data }: RecordLayer): RecordLayer {
  const Base: JuteBase = Object.getPrototypeOf(protocol.RequestHeader.prototype).constructor
  return { protocol, data, Base }
}

// A known request, and a long that exceeds a number, in a record that the package does not have.
function checkBytes({ protocol, Base }: RecordLayer, fail: Fail): void {
  const request = hexOf(new protocol.GetDataRequest('/a', true))
  if (request !== '000000022f6101') fail(`getData('/a') is written as ${request}`)
  const zxid = '7fffffffffffff01'
  const long = hexOf(new Base([{ name: 'zxid', type: 'long' }], [Buffer.from(zxid, 'hex')]))
  if (long !== zxid) fail(`the long ${zxid} is written as ${long}`)
}

function hexOf(record: JuteRecord): string {
  const bytes = Buffer.alloc(record.byteLength())
  record.serialize(bytes, 0)
  return bytes.toString('hex')
}

const require = createRequire(import.meta.url)
const { version } = require('node-zookeeper-client/package.json') as { readonly version: string }

/** The record layer of the package. Loading this module throws when the inside of the package has changed. */
const jute: RecordLayer = checkJute(require('node-zookeeper-client/lib/jute'), version)
