import {
  checkEquivalentArguments,
  checkEquivalentProperties,
  readQueueSettings,
  textArgument,
} from '../../broker/arguments.ts'
import { channelException } from '../../broker/exceptions.ts'
import type { Queue, QueueDeclaration } from '../../broker/queue.ts'
import type { Fields } from '../../wire/methods.ts'
import type { Channel } from '../channel.ts'
import { checkBinding, forbidReservedName } from './exchange.ts'

// The arguments in which two declarations of a queue must agree.
const comparedArguments = [
  'x-expires',
  'x-message-ttl',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-max-length',
  'x-max-length-bytes',
  'x-max-priority',
  'x-overflow',
  'x-queue-mode',
  'x-single-active-consumer',
  'x-delivery-limit',
] as const

/** `queue.declare`: creates a queue, or checks that the existing one is equivalent. */
export function declareQueue(channel: Channel, fields: Fields<'queue.declare'>): void {
  const queue = fields.passive
    ? accessibleQueue(channel, channel.context.vhost.queue(fields.queue))
    : ensureQueue(channel, fields)
  channel.lastQueue = queue.name
  if (fields.nowait) return
  const counts = { messageCount: queue.ready, consumerCount: queue.consumers.length }
  channel.send({ name: 'queue.declare-ok', fields: { queue: queue.name, ...counts } })
}

function ensureQueue(channel: Channel, fields: Fields<'queue.declare'>): Queue {
  const { broker, vhost } = channel.context
  const name = fields.queue === '' ? broker.newName('amq.gen') : fields.queue
  channel.check('configure', 'queue', name)
  const current = vhost.findQueue(name)
  return current === undefined ? addQueue(channel, name, fields) : equivalentQueue(channel, current, fields)
}

function equivalentQueue(channel: Channel, current: Queue, fields: Fields<'queue.declare'>): Queue {
  const { owner, durable, autoDelete, arguments: existing, settings } = current.declared
  if (ownerOf(channel, fields) !== owner) throw resourceLocked(channel, current)
  const what = `queue '${current.name}' in vhost '${channel.context.vhost.name}'`
  checkEquivalentProperties(what, [
    { name: 'durable', received: fields.durable, current: durable },
    { name: 'auto_delete', received: fields.autoDelete, current: autoDelete },
  ])
  // The default queue type is classic.
  const kind = textArgument(fields.arguments, 'x-queue-type') ?? 'classic'
  if (kind !== settings.type) checkEquivalentArguments(what, ['x-queue-type'], fields.arguments, existing)
  checkEquivalentArguments(what, comparedArguments, fields.arguments, existing)
  return current
}

function addQueue(channel: Channel, name: string, fields: Fields<'queue.declare'>): Queue {
  const { vhost } = channel.context
  const settings = readQueueSettings({ queue: name, vhost: vhost.name }, fields.arguments)
  if (fields.queue !== '') forbidReservedName('queue', name)
  const { durable, autoDelete } = fields
  const declared = {
    name,
    durable,
    autoDelete,
    owner: ownerOf(channel, fields),
    arguments: fields.arguments,
    settings,
  }
  checkQueueType(declared, vhost.name, fields.queue)
  checkDeadLetter(channel, declared)
  return vhost.addQueue(declared)
}

function ownerOf(channel: Channel, { exclusive }: Fields<'queue.declare'>): object | undefined {
  return exclusive ? channel.context.owner : undefined
}

function checkQueueType(
  { name, durable, autoDelete, owner, settings }: QueueDeclaration,
  vhost: string,
  asked: string,
): void {
  if (settings.type === 'classic') return
  if (asked === '') {
    throw channelException(
      'PRECONDITION_FAILED',
      'Cannot declare a server-named queue for type rabbit_quorum_queue',
    )
  }
  const unfit =
    owner !== undefined ? 'exclusive-owner' : autoDelete ? 'auto-delete' : durable ? undefined : 'non-durable'
  if (unfit === undefined) return
  throw channelException(
    'PRECONDITION_FAILED',
    `invalid property '${unfit}' for queue '${name}' in vhost '${vhost}'`,
  )
}

function checkDeadLetter(channel: Channel, { name, settings }: QueueDeclaration): void {
  if (settings.deadLetterExchange === undefined) return
  channel.check('read', 'queue', name)
  channel.check('write', 'exchange', settings.deadLetterExchange)
}

/** `queue.delete`: an unknown queue counts as deleted, without messages. */
export function deleteQueue(channel: Channel, fields: Fields<'queue.delete'>): void {
  const { vhost } = channel.context
  const name = nameOf(channel, fields.queue)
  channel.check('configure', 'queue', name)
  const queue = vhost.findQueue(name)
  const messageCount = queue?.ready ?? 0
  if (queue !== undefined) {
    accessibleQueue(channel, queue)
    checkDeletable(queue, vhost.name, fields)
    vhost.removeQueue(queue)
  }
  if (!fields.nowait) channel.send({ name: 'queue.delete-ok', fields: { messageCount } })
}

function checkDeletable(queue: Queue, vhost: string, { ifUnused, ifEmpty }: Fields<'queue.delete'>): void {
  const what = `queue '${queue.name}' in vhost '${vhost}'`
  if (ifUnused && queue.consumers.length > 0) throw channelException('PRECONDITION_FAILED', `${what} in use`)
  if (ifEmpty && queue.ready > 0) throw channelException('PRECONDITION_FAILED', `${what} not empty`)
}

/** `queue.purge`: removes the ready messages. */
export function purgeQueue(channel: Channel, fields: Fields<'queue.purge'>): void {
  const queue = findQueue(channel, fields.queue, 'read')
  const messageCount = queue.purge()
  if (!fields.nowait) channel.send({ name: 'queue.purge-ok', fields: { messageCount } })
}

/** `queue.bind`. */
export function bindQueue(channel: Channel, fields: Fields<'queue.bind'>): void {
  const { vhost } = channel.context
  const destination = { kind: 'queue', name: nameOf(channel, fields.queue) } as const
  checkBinding(channel, destination, fields.exchange)
  vhost.exchange(fields.exchange)
  accessibleQueue(channel, vhost.queue(destination.name))
  const { exchange: source, routingKey } = fields
  vhost.bind({ source, destination, routingKey, arguments: fields.arguments })
  if (!fields.nowait) channel.send({ name: 'queue.bind-ok', fields: {} })
}

/** `queue.unbind`: an unknown binding counts as removed. */
export function unbindQueue(channel: Channel, fields: Fields<'queue.unbind'>): void {
  const destination = { kind: 'queue', name: nameOf(channel, fields.queue) } as const
  checkBinding(channel, destination, fields.exchange)
  const { exchange: source, routingKey } = fields
  channel.context.vhost.unbind({ source, destination, routingKey, arguments: fields.arguments })
  channel.send({ name: 'queue.unbind-ok', fields: {} })
}

/**
 * The queue of that name, or the last one declared for an empty name; throws without permission and for a queue that
 * is exclusive to another connection.
 */
export function findQueue(channel: Channel, name: string, permission: 'read' | 'write'): Queue {
  const found = nameOf(channel, name)
  channel.check(permission, 'queue', found)
  return accessibleQueue(channel, channel.context.vhost.queue(found))
}

function nameOf(channel: Channel, name: string): string {
  if (name !== '') return name
  if (channel.lastQueue === '') throw channelException('NOT_FOUND', 'no previously declared queue')
  return channel.lastQueue
}

function accessibleQueue(channel: Channel, queue: Queue): Queue {
  const { owner } = queue.declared
  if (owner !== undefined && owner !== channel.context.owner) throw resourceLocked(channel, queue)
  return queue
}

function resourceLocked(channel: Channel, queue: Queue): Error {
  return channelException(
    'RESOURCE_LOCKED',
    `cannot obtain exclusive access to locked queue '${queue.name}' in vhost '${channel.context.vhost.name}'. ` +
      'It could be originally declared on another connection or the exclusive property value does not match ' +
      'that of the original declaration.',
  )
}
