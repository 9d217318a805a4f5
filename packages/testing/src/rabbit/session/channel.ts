import type { Clock } from '@ha/core'
import type { Broker } from '../broker/broker.ts'
import { type AmqpException, channelException } from '../broker/exceptions.ts'
import type { QueuedMessage } from '../broker/messages.ts'
import { deliveryOf, type Queue, type QueueConsumer, type RequeueReason } from '../broker/queue.ts'
import { checkPermission, type Permission } from '../broker/users.ts'
import type { Vhost } from '../broker/vhost.ts'
import type { ConfirmBatch, PublishAct } from '../rules.ts'
import type { Method, MethodOf } from '../wire/methods.ts'
import type { Content } from './content.ts'
import type { ServerSettings } from './handshake.ts'

/** What the channels of a connection share. */
export interface ConnectionContext {
  readonly clock: Clock
  readonly broker: Broker
  readonly vhost: Vhost
  readonly settings: ServerSettings
  readonly user: string
  /** Stands for the connection: the owner of its exclusive queues. */
  readonly owner: object
  /** Whether the client wants to be notified when its consumer is cancelled. */
  readonly wantsCancelNotify: boolean
}

/** What a channel needs from its connection. */
export interface ChannelDeps {
  readonly context: ConnectionContext
  readonly number: number
  readonly send: (method: Method, content?: Content) => void
  readonly closeWith: (exception: AmqpException) => void
}

/** The state of one channel. */
export class Channel {
  readonly context: ConnectionContext
  readonly send: ChannelDeps['send']
  readonly consumers: Map<string, Consumer> = new Map<string, Consumer>()
  readonly unacked: UnackedDeliveries = new UnackedDeliveries()
  /** The queue that an empty name stands for: the last one declared. */
  lastQueue = ''
  /** How many messages each new consumer may hold; 0 is any number. */
  prefetch = 0
  /** How many messages all consumers together may hold; 0 is any number. */
  globalPrefetch = 0
  confirms: Confirms | undefined
  #deliveries = 0
  readonly #timeout: DeliveryTimeout

  constructor(deps: ChannelDeps) {
    const { context, number, send, closeWith } = deps
    const { consumerTimeoutMs } = context.settings
    this.context = context
    this.send = send
    this.#timeout = new DeliveryTimeout({
      clock: context.clock,
      timeoutMs: consumerTimeoutMs,
      oldest: () => this.unacked.oldest,
      onOverdue: () => closeWith(deliveryTimedOut(number, consumerTimeoutMs)),
    })
  }

  get canReceive(): boolean {
    return this.globalPrefetch === 0 || this.unacked.size < this.globalPrefetch
  }

  /** Throws ACCESS_REFUSED unless the user has the permission. */
  check(permission: Permission, kind: 'queue' | 'exchange', name: string): void {
    const { broker, user, vhost } = this.context
    checkPermission(broker.users, user, permission, { kind, name, vhost: vhost.name })
  }

  selectConfirms(): void {
    this.confirms ??= new Confirms((confirm) => this.send(confirm))
  }

  deliver(consumer: Consumer, queue: Queue, entry: QueuedMessage): void {
    const { tag, noAck } = consumer.declared
    const deliveryTag = this.#track({ queue, entry, consumer }, noAck)
    const message = deliveryOf(queue, entry, 'deliver')
    const { exchange, routingKey } = message
    const fields = { consumerTag: tag, deliveryTag, redelivered: entry.requeues > 0, exchange, routingKey }
    this.send({ name: 'basic.deliver', fields }, message)
  }

  /** Answers basic.get. */
  get(queue: Queue, noAck: boolean): void {
    const entry = queue.take()
    if (entry === undefined) {
      this.send({ name: 'basic.get-empty', fields: { clusterId: '' } })
      return
    }
    const deliveryTag = this.#track({ queue, entry, consumer: undefined }, noAck)
    const message = deliveryOf(queue, entry, 'get')
    const { exchange, routingKey } = message
    const fields = {
      deliveryTag,
      redelivered: entry.requeues > 0,
      exchange,
      routingKey,
      messageCount: queue.ready,
    }
    this.send({ name: 'basic.get-ok', fields }, message)
  }

  /** The broker has cancelled a consumer. */
  cancelled(consumer: Consumer): void {
    const { tag } = consumer.declared
    this.consumers.delete(tag)
    if (this.context.wantsCancelNotify) this.send(cancelOf(tag))
  }

  /** Removes a consumer; an auto-delete queue is deleted with its last consumer. */
  removeConsumer(consumer: Consumer): void {
    const { queue, declared } = consumer
    this.consumers.delete(declared.tag)
    queue.removeConsumer(consumer)
    if (queue.declared.autoDelete && queue.consumers.length === 0) this.context.vhost.removeQueue(queue)
  }

  /** Requeues messages. */
  requeue(taken: readonly UnackedDelivery[], reason: RequeueReason): void {
    for (const { queue, entry } of taken) queue.requeue(entry, reason)
    this.pump(taken)
  }

  /** Delivers what fits now that these messages are settled. */
  pump(answered: readonly UnackedDelivery[]): void {
    const consuming = this.globalPrefetch === 0 ? [] : [...this.consumers.values()].map(({ queue }) => queue)
    for (const queue of new Set([...answered.map(({ queue }) => queue), ...consuming])) queue.pump()
  }

  /**
   * Removes its consumers from their queues. When a connection closes, all channels are detached before the first is
   * closed.
   */
  detachConsumers(): void {
    this.#timeout.close()
    for (const consumer of this.consumers.values()) consumer.queue.removeConsumer(consumer)
  }

  /** Closes the channel: requeues its unacknowledged messages and removes its consumers. */
  end(): void {
    this.detachConsumers()
    this.requeue(this.unacked.takeAll(), 'channel-gone')
    for (const consumer of [...this.consumers.values()]) this.removeConsumer(consumer)
  }

  // Without acknowledgement a message is settled as soon as it is delivered.
  #track(handed: Pick<UnackedDelivery, 'queue' | 'entry' | 'consumer'>, noAck: boolean): number {
    this.#deliveries += 1
    const deliveryTag = this.#deliveries
    if (noAck) {
      handed.queue.settle()
      return deliveryTag
    }
    this.unacked.add({ ...handed, deliveryTag, deliveredAtMs: this.context.clock.now() })
    this.#timeout.watch()
    return deliveryTag
  }
}

function cancelOf(consumerTag: string): MethodOf<'basic.cancel'> {
  return { name: 'basic.cancel', fields: { consumerTag, nowait: true } }
}

function deliveryTimedOut(number: number, consumerTimeoutMs: number): AmqpException {
  return channelException(
    'PRECONDITION_FAILED',
    `delivery acknowledgement on channel ${number} timed out. Timeout value used: ${consumerTimeoutMs} ms. ` +
      'This timeout value can be configured, see consumers doc guide to learn more',
  )
}

/** How a consumer was declared. */
interface ConsumerDeclaration {
  readonly tag: string
  readonly noAck: boolean
  readonly exclusive: boolean
  /** How many messages it may hold; 0 is any number. */
  readonly prefetch: number
}

/** A consumer of a queue on a channel. */
export class Consumer implements QueueConsumer {
  readonly declared: ConsumerDeclaration
  readonly queue: Queue
  readonly #channel: Channel
  #unacked = 0

  constructor(declared: ConsumerDeclaration, queue: Queue, channel: Channel) {
    this.declared = declared
    this.queue = queue
    this.#channel = channel
  }

  get exclusive(): boolean {
    return this.declared.exclusive
  }

  canReceive(): boolean {
    const { noAck, prefetch } = this.declared
    return noAck || ((prefetch === 0 || this.#unacked < prefetch) && this.#channel.canReceive)
  }

  deliver(queue: Queue, entry: QueuedMessage): void {
    this.#channel.deliver(this, queue, entry)
  }

  cancelled(): void {
    this.#channel.cancelled(this)
  }

  /** A message was delivered to it. */
  countDelivered(): void {
    this.#unacked += 1
  }

  /** A delivered message was acknowledged, rejected or requeued. */
  countSettled(): void {
    this.#unacked -= 1
  }
}

/** A message that was delivered and not acknowledged. */
interface UnackedDelivery {
  readonly deliveryTag: number
  readonly queue: Queue
  readonly entry: QueuedMessage
  /** Undefined for a message of basic.get. */
  readonly consumer: Consumer | undefined
  readonly deliveredAtMs: number
}

/** The unacknowledged messages of a channel in the order of delivery. */
class UnackedDeliveries {
  readonly #held = new Map<number, UnackedDelivery>()

  get size(): number {
    return this.#held.size
  }

  get oldest(): UnackedDelivery | undefined {
    return this.#held.values().next().value
  }

  add(held: UnackedDelivery): void {
    this.#held.set(held.deliveryTag, held)
    held.consumer?.countDelivered()
  }

  /** Removes the deliveries that an acknowledgement is about: one, or all up to it; with `multiple`, 0 means all. */
  take(deliveryTag: number, isMultiple: boolean): readonly UnackedDelivery[] {
    if (isMultiple && deliveryTag === 0) return this.takeAll()
    const wanted = this.#held.get(deliveryTag)
    if (wanted === undefined)
      throw channelException('PRECONDITION_FAILED', `unknown delivery tag ${deliveryTag}`)
    const taken = isMultiple ? this.#upTo(deliveryTag) : [wanted]
    for (const held of taken) this.#release(held)
    return taken
  }

  takeAll(): readonly UnackedDelivery[] {
    const taken = [...this.#held.values()]
    for (const held of taken) this.#release(held)
    return taken
  }

  #upTo(deliveryTag: number): readonly UnackedDelivery[] {
    const taken: UnackedDelivery[] = []
    for (const held of this.#held.values()) {
      if (held.deliveryTag > deliveryTag) break
      taken.push(held)
    }
    return taken
  }

  #release(held: UnackedDelivery): void {
    this.#held.delete(held.deliveryTag)
    held.consumer?.countSettled()
  }
}

/** What a {@link DeliveryTimeout} needs to know. */
interface DeliveryTimeoutDeps {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly oldest: () => UnackedDelivery | undefined
  readonly onOverdue: () => void
}

/** Detects a message that is not acknowledged in time. */
class DeliveryTimeout {
  readonly #deps: DeliveryTimeoutDeps
  #cancel: (() => void) | undefined

  constructor(deps: DeliveryTimeoutDeps) {
    this.#deps = deps
  }

  /** Starts the timer; called whenever a message is delivered. */
  watch(): void {
    this.#cancel ??= this.#timer()
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  // One timer for the oldest delivery: acknowledgements are many and overdue messages rare.
  #timer(): (() => void) | undefined {
    const { clock, timeoutMs, oldest, onOverdue } = this.#deps
    const held = oldest()
    if (held === undefined) return undefined
    const remainingMs = held.deliveredAtMs + timeoutMs - clock.now()
    return clock.after(Math.max(0, remainingMs), () => {
      this.#cancel = undefined
      if (oldest() === held) onOverdue()
      else this.watch()
    })
  }
}

type Confirm = MethodOf<'basic.ack' | 'basic.nack'>

/** How a message is confirmed. */
type ConfirmResult = 'ack' | 'nack'

/**
 * Counts and confirms the messages of a channel in confirm mode, with one frame for each unless a rule changes that.
 */
class Confirms {
  readonly #send: (confirm: Confirm) => void
  #published = 0
  #batch: readonly { readonly tag: number; readonly verdict: ConfirmResult }[] = []

  constructor(send: (confirm: Confirm) => void) {
    this.#send = send
  }

  /** Counts one more message and confirms it. */
  settle(verdict: ConfirmResult, act: PublishAct | undefined): void {
    this.#published += 1
    const tag = this.#published
    if (act?.do === 'lose-confirm') return
    if (act?.do !== 'batch-confirms') {
      this.#send(confirmOf(verdict, tag, false))
      return
    }
    this.#batch = [...this.#batch, { tag, verdict }]
    if (this.#batch.length >= act.size) this.#flush(act.as)
  }

  #flush(as: ConfirmBatch): void {
    const batch = as === 'reversed' ? [...this.#batch].reverse() : this.#batch
    this.#batch = []
    const last = batch.at(-1)
    if (as === 'multiple' && last !== undefined) this.#send(confirmOf(last.verdict, last.tag, true))
    else for (const { tag, verdict } of batch) this.#send(confirmOf(verdict, tag, false))
  }
}

function confirmOf(verdict: ConfirmResult, deliveryTag: number, multiple: boolean): Confirm {
  if (verdict === 'ack') return { name: 'basic.ack', fields: { deliveryTag, multiple } }
  return { name: 'basic.nack', fields: { deliveryTag, multiple, requeue: false } }
}
