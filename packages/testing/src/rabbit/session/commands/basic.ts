import { checkConsumerArguments } from '../../broker/arguments.ts'
import { channelException, connectionException } from '../../broker/exceptions.ts'
import { publicationOf } from '../../broker/messages.ts'
import type { Queue } from '../../broker/queue.ts'
import type { PublishResult } from '../../broker/vhost.ts'
import type { PublishAct } from '../../rules.ts'
import type { Fields } from '../../wire/methods.ts'
import { replyCodes } from '../../wire/protocol.ts'
import { type Channel, Consumer } from '../channel.ts'
import type { Content } from '../content.ts'
import { findQueue } from './queue.ts'

/** `basic.publish`: routes the message to queues; an unroutable mandatory message is returned before its confirm. */
export function publish(
  channel: Channel,
  fields: Fields<'basic.publish'>,
  content: Content,
  act: PublishAct | undefined,
): void {
  checkPublish(channel, fields, content)
  const { vhost, user } = channel.context
  const { exchange, routingKey } = fields
  const publication = publicationOf({ exchange, routingKey, ...content })
  if (publication.userId !== undefined && publication.userId !== user)
    throw userIdMismatch(publication.userId, user)
  const place = (): PublishResult => vhost.publish(publication)
  const placed = act?.do === 'nack' ? { queues: 1, isRejected: true } : place()
  if (act?.do === 'store-twice') place()
  if (fields.mandatory && placed.queues === 0) {
    const reply = { replyCode: replyCodes.NO_ROUTE, replyText: 'NO_ROUTE' }
    channel.send({ name: 'basic.return', fields: { ...reply, exchange, routingKey } }, content)
  }
  channel.confirms?.settle(placed.isRejected ? 'nack' : 'ack', act)
}

function checkPublish(channel: Channel, fields: Fields<'basic.publish'>, { bodyBytes }: Content): void {
  const { vhost, settings } = channel.context
  if (bodyBytes > settings.maxMessageBytes) {
    const text = `message size ${bodyBytes} is larger than configured max size ${settings.maxMessageBytes}`
    throw channelException('PRECONDITION_FAILED', text)
  }
  if (fields.immediate) throw connectionException('NOT_IMPLEMENTED', 'immediate=true')
  channel.check('write', 'exchange', fields.exchange)
  const exchange = vhost.exchange(fields.exchange)
  if (!exchange.internal) return
  throw channelException(
    'ACCESS_REFUSED',
    `cannot publish to internal exchange '${exchange.name}' in vhost '${vhost.name}'`,
  )
}

function userIdMismatch(claimed: string, user: string): Error {
  return channelException(
    'PRECONDITION_FAILED',
    `user_id property set to '${claimed}' but authenticated user was '${user}'`,
  )
}

/** `confirm.select`: puts the channel into confirm mode. */
export function selectConfirms(channel: Channel, { nowait }: Fields<'confirm.select'>): void {
  channel.selectConfirms()
  if (!nowait) channel.send({ name: 'confirm.select-ok', fields: {} })
}

/** `basic.qos`: limits unacknowledged messages of each later consumer, or with `global` of the channel. */
export function setPrefetch(channel: Channel, fields: Fields<'basic.qos'>): void {
  const { prefetchSize, prefetchCount, global } = fields
  if (prefetchSize !== 0) throw connectionException('NOT_IMPLEMENTED', `prefetch_size!=0 (${prefetchSize})`)
  if (global) channel.globalPrefetch = prefetchCount
  else channel.prefetch = prefetchCount
  channel.send({ name: 'basic.qos-ok', fields: {} })
  if (global) channel.pump([])
}

/** `basic.consume`: the reply is sent before the first message. */
export function consume(channel: Channel, fields: Fields<'basic.consume'>): void {
  const { broker } = channel.context
  const queue = findQueue(channel, fields.queue, 'read')
  const tag = fields.consumerTag === '' ? broker.newName('amq.ctag') : fields.consumerTag
  if (channel.consumers.has(tag))
    throw connectionException('NOT_ALLOWED', `attempt to reuse consumer tag '${tag}'`)
  checkConsumerArguments({ queue: queue.name, vhost: channel.context.vhost.name }, fields.arguments)
  checkExclusiveUse(channel, queue, fields.exclusive)
  const { noAck, exclusive } = fields
  const consumer = new Consumer({ tag, noAck, exclusive, prefetch: channel.prefetch }, queue, channel)
  channel.consumers.set(tag, consumer)
  if (!fields.nowait) channel.send({ name: 'basic.consume-ok', fields: { consumerTag: tag } })
  queue.addConsumer(consumer)
}

function checkExclusiveUse(channel: Channel, queue: Queue, exclusive: boolean): void {
  const what = `queue '${queue.name}' in vhost '${channel.context.vhost.name}'`
  if (queue.consumers.some((other) => other.exclusive) || (exclusive && queue.consumers.length > 0)) {
    throw channelException('ACCESS_REFUSED', `${what} in exclusive use`)
  }
  if (queue.declared.settings.type === 'quorum' && channel.globalPrefetch > 0) {
    throw connectionException('NOT_IMPLEMENTED', `${what} does not support global qos`)
  }
}

/** `basic.cancel`: an unknown consumer counts as cancelled. Unacknowledged messages stay with the channel. */
export function cancel(channel: Channel, fields: Fields<'basic.cancel'>): void {
  const { consumerTag, nowait } = fields
  const consumer = channel.consumers.get(consumerTag)
  if (consumer !== undefined) channel.removeConsumer(consumer)
  if (!nowait) channel.send({ name: 'basic.cancel-ok', fields: { consumerTag } })
}

/** `basic.get`: one message, if there is one. */
export function get(channel: Channel, fields: Fields<'basic.get'>): void {
  channel.get(findQueue(channel, fields.queue, 'read'), fields.noAck)
}

/** `basic.ack`: the messages are acknowledged. */
export function ack(channel: Channel, { deliveryTag, multiple }: Fields<'basic.ack'>): void {
  const taken = channel.unacked.take(deliveryTag, multiple)
  for (const { queue } of taken) queue.settle()
  channel.pump(taken)
}

/** `basic.nack`: the messages are requeued or dead-lettered. */
export function nack(channel: Channel, { deliveryTag, multiple, requeue }: Fields<'basic.nack'>): void {
  const taken = channel.unacked.take(deliveryTag, multiple)
  if (requeue) {
    channel.requeue(taken, 'refused')
    return
  }
  for (const { queue, entry } of taken) queue.reject(entry)
  channel.pump(taken)
}

/** `basic.reject`: a nack of one message. */
export function reject(channel: Channel, { deliveryTag, requeue }: Fields<'basic.reject'>): void {
  nack(channel, { deliveryTag, multiple: false, requeue })
}

/** `basic.recover`: all unacknowledged messages of the channel are requeued. */
export function recover(channel: Channel, fields: Fields<'basic.recover'>): void {
  recoverAsync(channel, fields)
  channel.send({ name: 'basic.recover-ok', fields: {} })
}

/** `basic.recover-async`: the same without a reply. */
export function recoverAsync(channel: Channel, { requeue }: Fields<'basic.recover-async'>): void {
  if (!requeue) throw connectionException('NOT_IMPLEMENTED', 'requeue=false')
  channel.requeue(channel.unacked.takeAll(), 'refused')
}
