import type { FieldTable, FieldValue } from '../wire/field-value.ts'
import { integerArgument, isInteger, textArgument } from './argument.ts'
import { channelRefusal, connectionRefusal, type Refusal } from './refusal.ts'

/** The kinds of queue that the fake knows. */
export type QueueKind = 'classic' | 'quorum'

/** What a queue's arguments ask of it. */
export interface QueueRules {
  readonly kind: QueueKind
  readonly messageTtlMs: number | undefined
  readonly maxMessages: number
  readonly overflow: Overflow
  readonly deadLetterExchange: string | undefined
  readonly deadLetterRoutingKey: string | undefined
  /** How often a message may come back before it is dead. */
  readonly deliveryLimit: number
  /** Whether one consumer gets everything until it is gone. */
  readonly singleActiveConsumer: boolean
}

/** What happens to the message that is one too many. */
export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx'

const overflows: readonly Overflow[] = ['drop-head', 'reject-publish', 'reject-publish-dlx']

// 2^32 - 1 ms: RabbitMQ refuses longer times.
const maxTimeMs = 4_294_967_295

/** What is wrong with a value, in RabbitMQ's words; undefined when nothing is. */
type Check = (field: FieldValue) => string | undefined

const checks: ReadonlyMap<string, Check> = new Map<string, Check>([
  [
    'x-expires',
    (field) => countFault(field) ?? (Number(field.value) === 0 ? '{value_zero,0}' : timeFault(field)),
  ],
  ['x-message-ttl', (field) => countFault(field) ?? timeFault(field)],
  ['x-max-length', countFault],
  ['x-max-length-bytes', countFault],
  ['x-max-priority', (field) => countFault(field) ?? priorityFault(field)],
  ['x-delivery-limit', countFault],
  [
    'x-overflow',
    (field) => (overflows.some((known) => known === field.value) ? undefined : 'invalid_overflow'),
  ],
  ['x-queue-mode', modeFault],
  ['x-single-active-consumer', (field) => (field.type === 'bool' ? undefined : typeFault(field))],
])

// Queue arguments that only the other kind understands.
const foreignArguments: Readonly<Record<QueueKind, readonly string[]>> = {
  classic: ['x-delivery-limit', 'x-quorum-initial-group-size'],
  quorum: ['x-max-priority', 'x-queue-mode'],
}

/** Reads the arguments of a queue, or refuses them as RabbitMQ does. */
export function readQueueRules(where: QueuePlace, table: FieldTable): QueueRules {
  const kind = kindOf(where, table)
  for (const [name, field] of table) checkOne(where, kind, name, field)
  checkDeadLetter(where, table)
  return {
    kind,
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
export interface QueuePlace {
  readonly queue: string
  readonly vhost: string
}

function kindOf(where: QueuePlace, table: FieldTable): QueueKind {
  const field = table.get('x-queue-type')
  if (field === undefined) return 'classic'
  if (field.type !== 'longstr') throw invalidArgument(where, 'x-queue-type', typeFault(field))
  const { value } = field
  if (value === 'classic' || value === 'quorum') return value
  if (value === 'stream') throw connectionRefusal('NOT_IMPLEMENTED', 'the fake broker has no streams')
  throw invalidArgument(where, 'x-queue-type', `"unsupported queue type '${value}'"`)
}

function checkOne(where: QueuePlace, kind: QueueKind, name: string, field: FieldValue): void {
  const fault = checks.get(name)?.(field)
  if (fault !== undefined) throw invalidArgument(where, name, fault)
  if (!foreignArguments[kind].includes(name)) return
  throw channelRefusal(
    'PRECONDITION_FAILED',
    `invalid arg '${name}' for queue '${where.queue}' in vhost '${where.vhost}' of queue type rabbit_${kind}_queue`,
  )
}

function checkDeadLetter(where: QueuePlace, table: FieldTable): void {
  for (const name of ['x-dead-letter-exchange', 'x-dead-letter-routing-key']) {
    const field = table.get(name)
    if (field === undefined || field.type === 'longstr') continue
    const place = `queue '${where.queue}' in vhost '${where.vhost}'`
    throw channelRefusal('PRECONDITION_FAILED', `invalid type '${field.type}' for arg '${name}' in ${place}`)
  }
  if (table.has('x-dead-letter-routing-key') && !table.has('x-dead-letter-exchange')) {
    throw invalidArgument(where, 'x-dead-letter-routing-key', 'routing_key_but_no_dlx_defined')
  }
}

/** Refuses a value, in RabbitMQ's words. */
export function invalidArgument({ queue, vhost }: QueuePlace, name: string, fault: string): Refusal {
  return channelRefusal(
    'PRECONDITION_FAILED',
    `invalid arg '${name}' for queue '${queue}' in vhost '${vhost}': ${fault}`,
  )
}

function countFault(field: FieldValue): string | undefined {
  if (!isInteger(field)) return `"expected integer, got ${field.type}"`
  return Number(field.value) < 0 ? `{value_negative,${field.value}}` : undefined
}

function timeFault(field: FieldValue): string | undefined {
  return Number(field.value) > maxTimeMs ? `{value_too_large,${field.value}}` : undefined
}

function priorityFault(field: FieldValue): string | undefined {
  return Number(field.value) > 255 ? `{max_value_exceeded,${field.value}}` : undefined
}

function modeFault(field: FieldValue): string | undefined {
  if (field.type !== 'longstr') return typeFault(field)
  return ['default', 'lazy'].includes(field.value) ? undefined : `"unsupported queue mode '${field.value}'"`
}

/** What RabbitMQ says of a value of a type that cannot be. */
export function typeFault(field: FieldValue): string {
  return `{unacceptable_type,${field.type}}`
}
