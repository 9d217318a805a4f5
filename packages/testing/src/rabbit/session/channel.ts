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

/** What a client has set up on one channel. */
export class Channel {
  readonly context: ConnectionContext
  readonly send: ChannelDeps['send']
  readonly consumers: Map<string, Consumer> = new Map<string, Consumer>()
  readonly unacked: UnackedDeliveries = new UnackedDeliveries()
  /** The queue that an empty name means: the one declared last. */
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

  /** Refuses what the user may not do. */
  check(deed: Permission, kind: 'queue' | 'exchange', name: string): void {
    const { broker, user, vhost } = this.context
    checkPermission(broker.users, user, deed, { kind, name, vhost: vhost.name })
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

  /** Gives one message of a queue to a client that asked for it. */
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

  /** The broker has sent a consumer away. */
  cancelled(consumer: Consumer): void {
    const { tag } = consumer.declared
    this.consumers.delete(tag)
    if (this.context.wantsCancelNotify) this.send(cancelOf(tag))
  }

  /** Takes a consumer away; its queue goes with the last one when it is auto-delete. */
  removeConsumer(consumer: Consumer): void {
    const { queue, declared } = consumer
    this.consumers.delete(declared.tag)
    queue.removeConsumer(consumer)
    if (queue.declared.autoDelete && queue.consumers.length === 0) this.context.vhost.removeQueue(queue)
  }

  /** Puts messages back into their queues. */
  requeue(taken: readonly UnackedDelivery[], reason: RequeueReason): void {
    for (const { queue, entry } of taken) queue.requeue(entry, reason)
    this.pump(taken)
  }

  /** Delivers what fits now that these messages are answered. */
  pump(answered: readonly UnackedDelivery[]): void {
    const consuming = this.globalPrefetch === 0 ? [] : [...this.consumers.values()].map(({ queue }) => queue)
    for (const queue of new Set([...answered.map(({ queue }) => queue), ...consuming])) queue.pump()
  }

  /** Its consumers take nothing more. Of a connection that dies all channels leave before the first one ends. */
  detachConsumers(): void {
    this.#timeout.close()
    for (const consumer of this.consumers.values()) consumer.queue.removeConsumer(consumer)
  }

  /** The channel is gone: its messages come back, and its consumers go. */
  end(): void {
    this.detachConsumers()
    this.requeue(this.unacked.takeAll(), 'channel-gone')
    for (const consumer of [...this.consumers.values()]) this.removeConsumer(consumer)
  }

  // Without acknowledgement a message is done with as soon as it is handed over.
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

/** Somebody on a channel who wants the messages of a queue. */
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

  /** It holds one message more. */
  countDelivered(): void {
    this.#unacked += 1
  }

  /** It holds one message less. */
  countSettled(): void {
    this.#unacked -= 1
  }
}

/** A message that was delivered and not yet answered. */
interface UnackedDelivery {
  readonly deliveryTag: number
  readonly queue: Queue
  readonly entry: QueuedMessage
  /** Undefined for a message that was got one by one. */
  readonly consumer: Consumer | undefined
  readonly deliveredAtMs: number
}

/** The messages that a channel holds, in the order of their delivery. */
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

  /** Takes out what an answer is about: one, or all up to it; with `multiple` 0 means all there are. */
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

/** Notices when a client keeps a message without an answer for too long. */
class DeliveryTimeout {
  readonly #deps: DeliveryTimeoutDeps
  #cancel: (() => void) | undefined

  constructor(deps: DeliveryTimeoutDeps) {
    this.#deps = deps
  }

  /** Watches from now on; to be called whenever a message is delivered. */
  watch(): void {
    this.#cancel ??= this.#timer()
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  // One timer for the oldest: answers are many and overdue messages rare.
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

/** How a message came out. */
type ConfirmResult = 'ack' | 'nack'

/** Counts the messages of a channel in confirm mode and says how each came out, one frame for each unless a rule says otherwise. */
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
