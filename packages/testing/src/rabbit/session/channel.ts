import type { Clock } from '@ha/core'
import type { Broker } from '../broker/broker.ts'
import type { Entry } from '../broker/entry.ts'
import { deliverable, type Queue, type ReturnReason } from '../broker/queue.ts'
import { channelRefusal, type Refusal } from '../broker/refusal.ts'
import { checkPermission, type Deed } from '../broker/users.ts'
import type { Vhost } from '../broker/vhost.ts'
import type { Method, MethodOf } from '../wire/method.ts'
import type { Content } from './assembly.ts'
import { Confirms } from './confirms.ts'
import type { Consumer } from './consumer.ts'
import { DeliveryTimeout } from './delivery-timeout.ts'
import { type Held, Unacked } from './unacked.ts'

/** What a channel knows of the connection that it is on. */
export interface ChannelEnds {
  readonly number: number
  readonly clock: Clock
  readonly broker: Broker
  readonly vhost: Vhost
  readonly user: string
  /** Stands for the connection: who owns an exclusive queue. */
  readonly owner: object
  /** Whether the client wants to hear that its consumer was cancelled. */
  readonly hearsCancel: boolean
  readonly maxMessageBytes: number
  readonly consumerTimeoutMs: number
  readonly send: (method: Method, content?: Content) => void
  readonly refuse: (refusal: Refusal) => void
}

/** What a client has set up on one channel. */
export class Channel {
  readonly ends: ChannelEnds
  readonly consumers: Map<string, Consumer> = new Map<string, Consumer>()
  readonly unacked: Unacked = new Unacked()
  /** The queue that an empty name means: the one declared last. */
  lastQueue = ''
  /** How many messages each new consumer may hold; 0 is any number. */
  prefetch = 0
  /** How many messages all consumers together may hold; 0 is any number. */
  globalPrefetch = 0
  confirms: Confirms | undefined
  #deliveries = 0
  readonly #timeout: DeliveryTimeout

  constructor(ends: ChannelEnds) {
    this.ends = ends
    this.#timeout = new DeliveryTimeout({
      clock: ends.clock,
      timeoutMs: ends.consumerTimeoutMs,
      oldest: () => this.unacked.oldest,
      onOverdue: () => ends.refuse(overdue(ends)),
    })
  }

  get hasRoom(): boolean {
    return this.globalPrefetch === 0 || this.unacked.size < this.globalPrefetch
  }

  /** Refuses what the user may not do. */
  check(deed: Deed, kind: 'queue' | 'exchange', name: string): void {
    const { broker, user, vhost } = this.ends
    checkPermission(broker.users, user, deed, { kind, name, vhost: vhost.name })
  }

  selectConfirms(): void {
    this.confirms ??= new Confirms((confirm) => this.ends.send(confirm))
  }

  deliver(consumer: Consumer, queue: Queue, entry: Entry): void {
    const { tag, noAck } = consumer.declared
    const deliveryTag = this.#hand({ queue, entry, consumer }, noAck)
    const message = deliverable(queue, entry, 'deliver')
    const { exchange, routingKey } = message
    const fields = { consumerTag: tag, deliveryTag, redelivered: entry.returns > 0, exchange, routingKey }
    this.ends.send({ name: 'basic.deliver', fields }, message)
  }

  /** Gives one message of a queue to a client that asked for it. */
  get(queue: Queue, noAck: boolean): void {
    const entry = queue.take()
    if (entry === undefined) {
      this.ends.send({ name: 'basic.get-empty', fields: { clusterId: '' } })
      return
    }
    const deliveryTag = this.#hand({ queue, entry, consumer: undefined }, noAck)
    const message = deliverable(queue, entry, 'get')
    const { exchange, routingKey } = message
    const fields = {
      deliveryTag,
      redelivered: entry.returns > 0,
      exchange,
      routingKey,
      messageCount: queue.ready,
    }
    this.ends.send({ name: 'basic.get-ok', fields }, message)
  }

  /** The broker has sent a consumer away. */
  cancelled(consumer: Consumer): void {
    const { tag } = consumer.declared
    this.consumers.delete(tag)
    if (this.ends.hearsCancel) this.ends.send(cancelOf(tag))
  }

  /** Takes a consumer away; its queue goes with the last one when it is auto-delete. */
  removeConsumer(consumer: Consumer): void {
    const { queue, declared } = consumer
    this.consumers.delete(declared.tag)
    queue.removeConsumer(consumer)
    if (queue.declared.autoDelete && queue.consumers.length === 0) this.ends.vhost.removeQueue(queue)
  }

  /** Puts messages back into their queues. */
  giveBack(taken: readonly Held[], reason: ReturnReason): void {
    for (const { queue, entry } of taken) queue.giveBack(entry, reason)
    this.pump(taken)
  }

  /** Delivers what fits now that these messages are answered. */
  pump(answered: readonly Held[]): void {
    const consuming = this.globalPrefetch === 0 ? [] : [...this.consumers.values()].map(({ queue }) => queue)
    for (const queue of new Set([...answered.map(({ queue }) => queue), ...consuming])) queue.pump()
  }

  /** Its consumers take nothing more. Of a connection that dies all channels leave before the first one ends. */
  leave(): void {
    this.#timeout.end()
    for (const consumer of this.consumers.values()) consumer.queue.removeConsumer(consumer)
  }

  /** The channel is gone: its messages come back, and its consumers go. */
  end(): void {
    this.leave()
    this.giveBack(this.unacked.takeAll(), 'channel-gone')
    for (const consumer of [...this.consumers.values()]) this.removeConsumer(consumer)
  }

  // Without acknowledgement a message is done with as soon as it is handed over.
  #hand(handed: Pick<Held, 'queue' | 'entry' | 'consumer'>, noAck: boolean): number {
    this.#deliveries += 1
    const deliveryTag = this.#deliveries
    if (noAck) {
      handed.queue.settle()
      return deliveryTag
    }
    this.unacked.add({ ...handed, deliveryTag, deliveredAtMs: this.ends.clock.now() })
    this.#timeout.watch()
    return deliveryTag
  }
}

function cancelOf(consumerTag: string): MethodOf<'basic.cancel'> {
  return { name: 'basic.cancel', fields: { consumerTag, nowait: true } }
}

function overdue({ number, consumerTimeoutMs }: ChannelEnds): Refusal {
  return channelRefusal(
    'PRECONDITION_FAILED',
    `delivery acknowledgement on channel ${number} timed out. Timeout value used: ${consumerTimeoutMs} ms. ` +
      'This timeout value can be configured, see consumers doc guide to learn more',
  )
}
