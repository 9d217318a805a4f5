import { checkConsumerArguments } from '../../broker/consumer-arguments.ts'
import type { Queue } from '../../broker/queue.ts'
import { channelRefusal, connectionRefusal } from '../../broker/refusal.ts'
import type { Fields } from '../../wire/method.ts'
import type { Channel } from '../channel.ts'
import { Consumer } from '../consumer.ts'
import { findQueue } from './queues.ts'

/** `basic.qos`: how many messages the consumers that come after this may hold, each, or with `global` all together. */
export function setPrefetch(channel: Channel, fields: Fields<'basic.qos'>): void {
  const { prefetchSize, prefetchCount, global } = fields
  if (prefetchSize !== 0) throw connectionRefusal('NOT_IMPLEMENTED', `prefetch_size!=0 (${prefetchSize})`)
  if (global) channel.globalPrefetch = prefetchCount
  else channel.prefetch = prefetchCount
  channel.ends.send({ name: 'basic.qos-ok', fields: {} })
  if (global) channel.pump([])
}

/** `basic.consume`: the reply comes before the first message. */
export function consume(channel: Channel, fields: Fields<'basic.consume'>): void {
  const { broker, send } = channel.ends
  const queue = findQueue(channel, fields.queue, 'read')
  const tag = fields.consumerTag === '' ? broker.newName('amq.ctag') : fields.consumerTag
  if (channel.consumers.has(tag))
    throw connectionRefusal('NOT_ALLOWED', `attempt to reuse consumer tag '${tag}'`)
  checkConsumerArguments({ queue: queue.name, vhost: channel.ends.vhost.name }, fields.arguments)
  refuseTaken(channel, queue, fields.exclusive)
  const { noAck, exclusive } = fields
  const consumer = new Consumer({ tag, noAck, exclusive, prefetch: channel.prefetch }, queue, channel)
  channel.consumers.set(tag, consumer)
  if (!fields.nowait) send({ name: 'basic.consume-ok', fields: { consumerTag: tag } })
  queue.addConsumer(consumer)
}

function refuseTaken(channel: Channel, queue: Queue, exclusive: boolean): void {
  const what = `queue '${queue.name}' in vhost '${channel.ends.vhost.name}'`
  if (queue.consumers.some((other) => other.exclusive) || (exclusive && queue.consumers.length > 0)) {
    throw channelRefusal('ACCESS_REFUSED', `${what} in exclusive use`)
  }
  if (queue.declared.rules.kind === 'quorum' && channel.globalPrefetch > 0) {
    throw connectionRefusal('NOT_IMPLEMENTED', `${what} does not support global qos`)
  }
}

/** `basic.cancel`: a consumer that is not there counts as cancelled. What it holds stays with the channel. */
export function cancel(channel: Channel, fields: Fields<'basic.cancel'>): void {
  const { consumerTag, nowait } = fields
  const consumer = channel.consumers.get(consumerTag)
  if (consumer !== undefined) channel.removeConsumer(consumer)
  if (!nowait) channel.ends.send({ name: 'basic.cancel-ok', fields: { consumerTag } })
}

/** `basic.get`: one message, if there is one. */
export function get(channel: Channel, fields: Fields<'basic.get'>): void {
  channel.get(findQueue(channel, fields.queue, 'read'), fields.noAck)
}
