import type { FieldTable, FieldValue } from '../wire/field-tables.ts'
import { type AmqpException, channelException, connectionException } from './exceptions.ts'

/** The kinds of queue that the fake supports. */
type QueueType = 'classic' | 'quorum'

/** The settings in the arguments of a queue. */
export interface QueueSettings {
  readonly type: QueueType
  readonly messageTtlMs: number | undefined
  readonly maxMessages: number
  readonly overflow: Overflow
  readonly deadLetterExchange: string | undefined
  readonly deadLetterRoutingKey: string | undefined
  /** How often a message may be requeued before it is dead-lettered. */
  readonly deliveryLimit: number
  /** Whether one consumer receives all messages until it is cancelled. */
  readonly singleActiveConsumer: boolean
}

/** What happens when the queue is full. */
type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx'

const overflows: readonly Overflow[] = ['drop-head', 'reject-publish', 'reject-publish-dlx']

// 2^32 - 1 ms: RabbitMQ rejects longer times.
const maxTimeMs = 4_294_967_295

/** The error of a value, in RabbitMQ's format; undefined when the value is valid. */
type Check = (field: FieldValue) => string | undefined

const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  [
    'x-expires',
    (field) => countError(field) ?? (Number(field.value) === 0 ? '{value_zero,0}' : timeError(field)),
  ],
  ['x-message-ttl', (field) => countError(field) ?? timeError(field)],
  ['x-max-length', countError],
  ['x-max-length-bytes', countError],
  ['x-max-priority', (field) => countError(field) ?? priorityError(field)],
  ['x-delivery-limit', countError],
  [
    'x-overflow',
    (field) => (overflows.some((known) => known === field.value) ? undefined : 'invalid_overflow'),
  ],
  ['x-queue-mode', modeError],
  ['x-single-active-consumer', (field) => (field.type === 'bool' ? undefined : typeError(field))],
])

// Queue arguments that only the other queue type supports.
const foreignArguments: Readonly<Record<QueueType, readonly string[]>> = {
  classic: ['x-delivery-limit', 'x-quorum-initial-group-size'],
  quorum: ['x-max-priority', 'x-queue-mode'],
}

/** Reads the arguments of a queue; throws the exception that RabbitMQ reports for invalid ones. */
export function readQueueSettings(where: QueueRef, table: FieldTable): QueueSettings {
  const kind = kindOf(where, table)
  for (const [name, field] of table) checkOne(where, kind, name, field)
  checkDeadLetter(where, table)
  return {
    type: kind,
    messageTtlMs: integerArgument(table, 'x-message-ttl'),
    maxMessages: integerArgument(table, 'x-max-length') ?? Number.POSITIVE_INFINITY,
    overflow: overflows.find((known) => known === table.get('x-overflow')?.value) ?? 'drop-head',
    deadLetterExchange: textArgument(table, 'x-dead-letter-exchange'),
    deadLetterRoutingKey: textArgument(table, 'x-dead-letter-routing-key'),
    deliveryLimit: integerArgument(table, 'x-delivery-limit') ?? Number.POSITIVE_INFINITY,
    singleActiveConsumer: table.get('x-single-active-consumer')?.value === true,
  }
}

/** Names a queue in reply texts. */
interface QueueRef {
  readonly queue: string
  readonly vhost: string
}

function kindOf(where: QueueRef, table: FieldTable): QueueType {
  const field = table.get('x-queue-type')
  if (field === undefined) return 'classic'
  if (field.type !== 'longstr') throw invalidArgument(where, 'x-queue-type', typeError(field))
  const { value } = field
  if (value === 'classic' || value === 'quorum') return value
  if (value === 'stream') throw connectionException('NOT_IMPLEMENTED', 'the fake broker has no streams')
  throw invalidArgument(where, 'x-queue-type', `"unsupported queue type '${value}'"`)
}

function checkOne(where: QueueRef, kind: QueueType, name: string, field: FieldValue): void {
  const fault = checks.get(name)?.(field)
  if (fault !== undefined) throw invalidArgument(where, name, fault)
  if (!foreignArguments[kind].includes(name)) return
  throw channelException(
    'PRECONDITION_FAILED',
    `invalid arg '${name}' for queue '${where.queue}' in vhost '${where.vhost}' of queue type rabbit_${kind}_queue`,
  )
}

function checkDeadLetter(where: QueueRef, table: FieldTable): void {
  for (const name of ['x-dead-letter-exchange', 'x-dead-letter-routing-key']) {
    const field = table.get(name)
    if (field === undefined || field.type === 'longstr') continue
    const place = `queue '${where.queue}' in vhost '${where.vhost}'`
    throw channelException(
      'PRECONDITION_FAILED',
      `invalid type '${field.type}' for arg '${name}' in ${place}`,
    )
  }
  if (table.has('x-dead-letter-routing-key') && !table.has('x-dead-letter-exchange')) {
    throw invalidArgument(where, 'x-dead-letter-routing-key', 'routing_key_but_no_dlx_defined')
  }
}

/** The exception for an invalid value, in RabbitMQ's format. */
function invalidArgument({ queue, vhost }: QueueRef, name: string, fault: string): AmqpException {
  return channelException(
    'PRECONDITION_FAILED',
    `invalid arg '${name}' for queue '${queue}' in vhost '${vhost}': ${fault}`,
  )
}

function countError(field: FieldValue): string | undefined {
  if (!isInteger(field)) return `"expected integer, got ${field.type}"`
  return Number(field.value) < 0 ? `{value_negative,${field.value}}` : undefined
}

function timeError(field: FieldValue): string | undefined {
  return Number(field.value) > maxTimeMs ? `{value_too_large,${field.value}}` : undefined
}

function priorityError(field: FieldValue): string | undefined {
  return Number(field.value) > 255 ? `{max_value_exceeded,${field.value}}` : undefined
}

function modeError(field: FieldValue): string | undefined {
  if (field.type !== 'longstr') return typeError(field)
  return ['default', 'lazy'].includes(field.value) ? undefined : `"unsupported queue mode '${field.value}'"`
}

/** RabbitMQ's error for a value of an unacceptable type. */
function typeError(field: FieldValue): string {
  return `{unacceptable_type,${field.type}}`
}

/** Throws at the arguments of a consumer that RabbitMQ rejects. The fake ignores those that it accepts. */
export function checkConsumerArguments(where: QueueRef, table: FieldTable): void {
  const priority = table.get('x-priority')
  if (priority !== undefined && !isInteger(priority)) {
    throw invalidArgument(where, 'x-priority', `"expected integer, got ${priority.type}"`)
  }
  const cancel = table.get('x-cancel-on-ha-failover')
  if (cancel !== undefined && cancel.type !== 'bool') {
    throw invalidArgument(where, 'x-cancel-on-ha-failover', typeError(cancel))
  }
}

/** A property in a declaration, and its value on the existing queue or exchange. */
interface DeclaredProperty {
  readonly name: string
  readonly received: boolean | string
  readonly current: boolean | string
}

/** Throws when a declaration's properties differ from the existing ones. `what` reads `queue 'q' in vhost '/'`. */
export function checkEquivalentProperties(what: string, properties: readonly DeclaredProperty[]): void {
  const wrong = properties.find(({ received, current }) => received !== current)
  if (wrong === undefined) return
  const { name, received, current } = wrong
  throw inequivalent(name, what, `received '${received}' but current is '${current}'`)
}

/** Throws when one of the named arguments of a declaration differs from the existing one. */
export function checkEquivalentArguments(
  what: string,
  names: readonly string[],
  received: FieldTable,
  current: FieldTable,
): void {
  for (const name of names) checkEquivalentArgument(what, name, received.get(name), current.get(name))
}

function checkEquivalentArgument(
  what: string,
  name: string,
  received: FieldValue | undefined,
  current: FieldValue | undefined,
): void {
  if (isEquivalent(received, current)) return
  if (received !== undefined && current !== undefined) {
    throw inequivalent(name, what, `received '${received.value}' but current is '${current.value}'`)
  }
  throw inequivalent(name, what, `received ${described(received)} but current is ${described(current)}`)
}

function isEquivalent(a: FieldValue | undefined, b: FieldValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  // 1000 is 1000, however many bytes a client spends on it; '1000' is not.
  if (isInteger(a) && isInteger(b)) return Number(a.value) === Number(b.value)
  return a.type === b.type && a.value === b.value
}

function described(field: FieldValue | undefined): string {
  return field === undefined ? 'none' : `the value '${field.value}' of type '${field.type}'`
}

function inequivalent(name: string, what: string, difference: string): Error {
  return channelException('PRECONDITION_FAILED', `inequivalent arg '${name}' for ${what}: ${difference}`)
}

const integerTypes: readonly string[] = [
  'byte',
  'unsignedbyte',
  'short',
  'unsignedshort',
  'signedint',
  'unsignedint',
  'long',
]

/** Whether a field holds a whole number of any width. */
function isInteger(field: FieldValue): boolean {
  return integerTypes.includes(field.type)
}

/** A whole number among the arguments, or undefined. */
function integerArgument(table: FieldTable, name: string): number | undefined {
  const field = table.get(name)
  return field !== undefined && isInteger(field) ? Number(field.value) : undefined
}

/** A text among the arguments, or undefined. */
export function textArgument(table: FieldTable, name: string): string | undefined {
  const field = table.get(name)
  return field?.type === 'longstr' ? field.value : undefined
}
