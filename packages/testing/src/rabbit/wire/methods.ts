import { MalformedMessage } from '../../server/byte-cursor.ts'
import { AmqpReader, type AmqpWriter, binary } from './bytes.ts'
import { type FieldTable, readTable, writeTable } from './field-tables.ts'

/** How a field of a method lies on the wire. Neighbouring bits share an octet. */
export type FieldKind = 'octet' | 'short' | 'long' | 'longlong' | 'bit' | 'shortstr' | 'longstr' | 'table'

/**
 * The methods of AMQP 0-9-1 with RabbitMQ's additions, without transactions: name, class and method id, fields in
 * order.
 */
export const methodTable = {
  'connection.start': {
    id: [10, 10],
    fields: {
      versionMajor: 'octet',
      versionMinor: 'octet',
      serverProperties: 'table',
      mechanisms: 'longstr',
      locales: 'longstr',
    },
  },
  'connection.start-ok': {
    id: [10, 11],
    fields: { clientProperties: 'table', mechanism: 'shortstr', response: 'longstr', locale: 'shortstr' },
  },
  'connection.secure': { id: [10, 20], fields: { challenge: 'longstr' } },
  'connection.secure-ok': { id: [10, 21], fields: { response: 'longstr' } },
  'connection.tune': { id: [10, 30], fields: { channelMax: 'short', frameMax: 'long', heartbeat: 'short' } },
  'connection.tune-ok': {
    id: [10, 31],
    fields: { channelMax: 'short', frameMax: 'long', heartbeat: 'short' },
  },
  'connection.open': {
    id: [10, 40],
    fields: { virtualHost: 'shortstr', capabilities: 'shortstr', insist: 'bit' },
  },
  'connection.open-ok': { id: [10, 41], fields: { knownHosts: 'shortstr' } },
  'connection.close': {
    id: [10, 50],
    fields: { replyCode: 'short', replyText: 'shortstr', classId: 'short', methodId: 'short' },
  },
  'connection.close-ok': { id: [10, 51], fields: {} },
  'connection.blocked': { id: [10, 60], fields: { reason: 'shortstr' } },
  'connection.unblocked': { id: [10, 61], fields: {} },
  'connection.update-secret': { id: [10, 70], fields: { newSecret: 'longstr', reason: 'shortstr' } },
  'connection.update-secret-ok': { id: [10, 71], fields: {} },
  'channel.open': { id: [20, 10], fields: { outOfBand: 'shortstr' } },
  'channel.open-ok': { id: [20, 11], fields: { channelId: 'longstr' } },
  'channel.flow': { id: [20, 20], fields: { active: 'bit' } },
  'channel.flow-ok': { id: [20, 21], fields: { active: 'bit' } },
  'channel.close': {
    id: [20, 40],
    fields: { replyCode: 'short', replyText: 'shortstr', classId: 'short', methodId: 'short' },
  },
  'channel.close-ok': { id: [20, 41], fields: {} },
  'exchange.declare': {
    id: [40, 10],
    fields: {
      ticket: 'short',
      exchange: 'shortstr',
      type: 'shortstr',
      passive: 'bit',
      durable: 'bit',
      autoDelete: 'bit',
      internal: 'bit',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  'exchange.declare-ok': { id: [40, 11], fields: {} },
  'exchange.delete': {
    id: [40, 20],
    fields: { ticket: 'short', exchange: 'shortstr', ifUnused: 'bit', nowait: 'bit' },
  },
  'exchange.delete-ok': { id: [40, 21], fields: {} },
  'exchange.bind': {
    id: [40, 30],
    fields: {
      ticket: 'short',
      destination: 'shortstr',
      source: 'shortstr',
      routingKey: 'shortstr',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  'exchange.bind-ok': { id: [40, 31], fields: {} },
  'exchange.unbind': {
    id: [40, 40],
    fields: {
      ticket: 'short',
      destination: 'shortstr',
      source: 'shortstr',
      routingKey: 'shortstr',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  'exchange.unbind-ok': { id: [40, 51], fields: {} },
  'queue.declare': {
    id: [50, 10],
    fields: {
      ticket: 'short',
      queue: 'shortstr',
      passive: 'bit',
      durable: 'bit',
      exclusive: 'bit',
      autoDelete: 'bit',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  'queue.declare-ok': {
    id: [50, 11],
    fields: { queue: 'shortstr', messageCount: 'long', consumerCount: 'long' },
  },
  'queue.bind': {
    id: [50, 20],
    fields: {
      ticket: 'short',
      queue: 'shortstr',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  'queue.bind-ok': { id: [50, 21], fields: {} },
  'queue.purge': { id: [50, 30], fields: { ticket: 'short', queue: 'shortstr', nowait: 'bit' } },
  'queue.purge-ok': { id: [50, 31], fields: { messageCount: 'long' } },
  'queue.delete': {
    id: [50, 40],
    fields: { ticket: 'short', queue: 'shortstr', ifUnused: 'bit', ifEmpty: 'bit', nowait: 'bit' },
  },
  'queue.delete-ok': { id: [50, 41], fields: { messageCount: 'long' } },
  'queue.unbind': {
    id: [50, 50],
    fields: {
      ticket: 'short',
      queue: 'shortstr',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      arguments: 'table',
    },
  },
  'queue.unbind-ok': { id: [50, 51], fields: {} },
  'basic.qos': { id: [60, 10], fields: { prefetchSize: 'long', prefetchCount: 'short', global: 'bit' } },
  'basic.qos-ok': { id: [60, 11], fields: {} },
  'basic.consume': {
    id: [60, 20],
    fields: {
      ticket: 'short',
      queue: 'shortstr',
      consumerTag: 'shortstr',
      noLocal: 'bit',
      noAck: 'bit',
      exclusive: 'bit',
      nowait: 'bit',
      arguments: 'table',
    },
  },
  'basic.consume-ok': { id: [60, 21], fields: { consumerTag: 'shortstr' } },
  'basic.cancel': { id: [60, 30], fields: { consumerTag: 'shortstr', nowait: 'bit' } },
  'basic.cancel-ok': { id: [60, 31], fields: { consumerTag: 'shortstr' } },
  'basic.publish': {
    id: [60, 40],
    fields: {
      ticket: 'short',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      mandatory: 'bit',
      immediate: 'bit',
    },
  },
  'basic.return': {
    id: [60, 50],
    fields: { replyCode: 'short', replyText: 'shortstr', exchange: 'shortstr', routingKey: 'shortstr' },
  },
  'basic.deliver': {
    id: [60, 60],
    fields: {
      consumerTag: 'shortstr',
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortstr',
      routingKey: 'shortstr',
    },
  },
  'basic.get': { id: [60, 70], fields: { ticket: 'short', queue: 'shortstr', noAck: 'bit' } },
  'basic.get-ok': {
    id: [60, 71],
    fields: {
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      messageCount: 'long',
    },
  },
  'basic.get-empty': { id: [60, 72], fields: { clusterId: 'shortstr' } },
  'basic.ack': { id: [60, 80], fields: { deliveryTag: 'longlong', multiple: 'bit' } },
  'basic.reject': { id: [60, 90], fields: { deliveryTag: 'longlong', requeue: 'bit' } },
  'basic.recover-async': { id: [60, 100], fields: { requeue: 'bit' } },
  'basic.recover': { id: [60, 110], fields: { requeue: 'bit' } },
  'basic.recover-ok': { id: [60, 111], fields: {} },
  'basic.nack': { id: [60, 120], fields: { deliveryTag: 'longlong', multiple: 'bit', requeue: 'bit' } },
  'confirm.select': { id: [85, 10], fields: { nowait: 'bit' } },
  'confirm.select-ok': { id: [85, 11], fields: {} },
} as const

/** The name of a method, such as `basic.publish`. */
export type MethodName = keyof typeof methodTable

interface KindValues {
  readonly octet: number
  readonly short: number
  readonly long: number
  readonly longlong: number
  readonly bit: boolean
  readonly shortstr: string
  readonly longstr: string
  readonly table: FieldTable
}

/** The fields of one method, typed by the table. */
export type Fields<N extends MethodName> = {
  readonly [F in keyof (typeof methodTable)[N]['fields']]: (typeof methodTable)[N]['fields'][F] extends FieldKind
    ? KindValues[(typeof methodTable)[N]['fields'][F]]
    : never
}

/** The method of that name, or one of those names, with its fields. */
export type MethodOf<N extends MethodName> = {
  readonly [M in N]: { readonly name: M; readonly fields: Fields<M> }
}[N]

/** Any method. */
export type Method = MethodOf<MethodName>

type FieldList = readonly (readonly [string, FieldKind])[]

interface Shape {
  readonly name: MethodName
  readonly classId: number
  readonly methodId: number
  readonly fields: FieldList
}

const shapes: readonly Shape[] = (Object.keys(methodTable) as MethodName[]).map((name) => {
  const { id, fields } = methodTable[name]
  return { name, classId: id[0], methodId: id[1], fields: Object.entries(fields) }
})

const shapeByName: ReadonlyMap<string, Shape> = new Map(shapes.map((shape) => [shape.name, shape]))
const shapeById: ReadonlyMap<number, Shape> = new Map(shapes.map((shape) => [idOf(shape), shape]))

/** Reads a method: its ids, then its fields. */
export function readMethod(from: AmqpReader): Method {
  const [classId, methodId] = [from.short(), from.short()]
  const shape = shapeById.get(idOf({ classId, methodId }))
  if (shape === undefined)
    throw new MalformedMessage(`the fake broker knows no method ${classId}.${methodId}`)
  const fields = from.bytes(from.left)
  try {
    // The table that the types are made of is the table that is read by.
    return { name: shape.name, fields: readFields(new AmqpReader(fields), shape.fields) } as Method
  } catch (error) {
    throw new MalformedMessage(`cannot decode ${binary(fields)}`, { cause: error })
  }
}

/** Writes a method as {@link readMethod} reads it. */
export function writeMethod(to: AmqpWriter, method: Method): void {
  const shape = shapeOf(method.name)
  to.short(shape.classId)
  to.short(shape.methodId)
  writeFields(to, shape.fields, method.fields)
}

/** The names of a method's fields. */
export function fieldNames(name: MethodName): readonly string[] {
  return shapeOf(name).fields.map(([field]) => field)
}

/** The class and method id, as a close method names the failingMethod. */
export function idsOf(name: MethodName): { readonly classId: number; readonly methodId: number } {
  return shapeOf(name)
}

function shapeOf(name: MethodName): Shape {
  const shape = shapeByName.get(name)
  if (shape === undefined) throw new MalformedMessage(`unknown method ${name}`)
  return shape
}

function idOf(ids: { readonly classId: number; readonly methodId: number }): number {
  return ids.classId * 0x1_0000 + ids.methodId
}

function readFields(from: AmqpReader, fields: FieldList): Readonly<Record<string, unknown>> {
  const read: Record<string, unknown> = {}
  let bits = { octet: 0, used: 8 }
  for (const [name, kind] of fields) {
    if (kind !== 'bit') {
      bits = { octet: 0, used: 8 }
      read[name] = readField(from, kind)
      continue
    }
    if (bits.used === 8) bits = { octet: from.octet(), used: 0 }
    read[name] = (bits.octet & (1 << bits.used)) !== 0
    bits.used += 1
  }
  return read
}

function readField(from: AmqpReader, kind: Exclude<FieldKind, 'bit'>): unknown {
  return kind === 'table' ? readTable(from) : from[kind]()
}

function writeFields(to: AmqpWriter, fields: FieldList, values: Readonly<Record<string, unknown>>): void {
  const bits: boolean[] = []
  for (const [name, kind] of fields) {
    if (kind === 'bit') bits.push(values[name] === true)
    else {
      flushBits(to, bits)
      writeField(to, kind, values[name])
    }
  }
  flushBits(to, bits)
}

// No method has more than eight bits in a row.
function flushBits(to: AmqpWriter, bits: boolean[]): void {
  if (bits.length === 0) return
  to.octet(bits.splice(0).reduce((octet, bit, i) => octet | (bit ? 1 << i : 0), 0))
}

function writeField(to: AmqpWriter, kind: Exclude<FieldKind, 'bit'>, value: unknown): void {
  if (kind === 'table') writeTable(to, value as FieldTable)
  else if (kind === 'shortstr' || kind === 'longstr') to[kind](String(value))
  else to[kind](Number(value))
}
