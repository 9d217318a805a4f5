import { MalformedMessage } from '../../server/byte-cursor.ts'
import { AmqpReader, AmqpWriter } from './bytes.ts'
import { emptyTable, type FieldTable, readTable, writeTable } from './field-tables.ts'

/** The properties of a message; absent ones are undefined. */
export interface Properties {
  contentType?: string
  contentEncoding?: string
  headers?: FieldTable
  deliveryMode?: number
  priority?: number
  correlationId?: string
  replyTo?: string
  expiration?: string
  messageId?: string
  timestamp?: number
  type?: string
  userId?: string
  appId?: string
  clusterId?: string
}

interface Format<T> {
  readonly read: (from: AmqpReader) => T
  readonly write: (to: AmqpWriter, value: T) => void
}

const text: Format<string> = { read: (from) => from.shortstr(), write: (to, value) => to.shortstr(value) }
const octet: Format<number> = { read: (from) => from.octet(), write: (to, value) => to.octet(value) }
const longlong: Format<number> = { read: (from) => from.longlong(), write: (to, value) => to.longlong(value) }
const table: Format<FieldTable> = { read: readTable, write: writeTable }

// In the order of their flags, the highest bit first.
const formats = {
  contentType: text,
  contentEncoding: text,
  headers: table,
  deliveryMode: octet,
  priority: octet,
  correlationId: text,
  replyTo: text,
  expiration: text,
  messageId: text,
  timestamp: longlong,
  type: text,
  userId: text,
  appId: text,
  clusterId: text,
} satisfies { readonly [P in keyof Required<Properties>]: Format<NonNullable<Properties[P]>> }

type PropertyName = keyof typeof formats

const flagged: readonly (readonly [PropertyName, number])[] = names().map((name, i) => [name, 0x8000 >> i])

/** Reads the flags and the properties that they announce. */
export function readProperties(bytes: Buffer): Properties {
  const from = new AmqpReader(bytes)
  const flags = from.short()
  const properties: Properties = {}
  for (const [name, flag] of flagged) {
    if ((flags & flag) !== 0) readInto(properties, name, from)
  }
  if (from.left > 0) throw new MalformedMessage(`${from.left} bytes behind the properties`)
  return properties
}

/** Writes properties as {@link readProperties} reads them. */
export function writeProperties(properties: Properties): Buffer {
  const to = new AmqpWriter()
  to.short(flagged.reduce((flags, [name, flag]) => flags | (properties[name] === undefined ? 0 : flag), 0))
  for (const [name] of flagged) writeOne(to, properties, name)
  return to.take()
}

/** The headers, empty when the sender gave none. */
export function headersOf(properties: Properties): FieldTable {
  return properties.headers ?? emptyTable
}

function readInto<P extends PropertyName>(properties: Properties, name: P, from: AmqpReader): void {
  const format: Format<NonNullable<Properties[P]>> = formatOf(name)
  properties[name] = format.read(from)
}

function writeOne<P extends PropertyName>(to: AmqpWriter, properties: Properties, name: P): void {
  const value = properties[name]
  if (value !== undefined) formatOf(name).write(to, value)
}

function formatOf<P extends PropertyName>(name: P): Format<NonNullable<Properties[P]>> {
  const all: { readonly [N in PropertyName]: Format<NonNullable<Properties[N]>> } = formats
  return all[name]
}

function names(): readonly PropertyName[] {
  return Object.keys(formats) as PropertyName[]
}
