import type { Clock } from '@ha/core'
import type { FieldTable } from '../wire/field-tables.ts'
import type { QueueSettings } from './arguments.ts'
import { type DeathReason, type Message, type QueuedMessage, withHeader } from './messages.ts'

/** A consumer, as the queue uses it. */
export interface QueueConsumer {
  readonly exclusive: boolean
  /** Whether it may receive one more message. */
  canReceive(): boolean
  deliver(queue: Queue, entry: QueuedMessage): void
  /** The broker has cancelled the consumer. */
  cancelled(): void
}

/** How a queue was declared. */
export interface QueueDeclaration {
  readonly name: string
  readonly durable: boolean
  readonly autoDelete: boolean
  /** The connection that alone may use it, when it is exclusive. */
  readonly owner: object | undefined
  readonly arguments: FieldTable
  readonly settings: QueueSettings
}

/** What a queue needs from outside. */
interface QueueDeps {
  readonly clock: Clock
  readonly deadLetter: (queue: Queue, message: Message, reason: DeathReason) => void
}

/** Why a message is requeued: its channel is closed, or a consumer rejected it. */
export type RequeueReason = 'channel-gone' | 'refused'

/** A queue: messages in order, and consumers that take turns. */
export class Queue {
  readonly declared: QueueDeclaration
  readonly #deps: QueueDeps
  readonly #backlog = new Backlog()
  // The consumer that is next comes first.
  #consumers: QueueConsumer[] = []
  #sequence = 0
  #unacked = 0
  #cancelExpiry: () => void = () => undefined
  // A deleted queue drops its messages, also those that are unacknowledged.
  #isDeleted = false

  constructor(declared: QueueDeclaration, deps: QueueDeps) {
    this.declared = declared
    this.#deps = deps
  }

  get name(): string {
    return this.declared.name
  }

  /** How many messages wait for a consumer. */
  get ready(): number {
    return this.#backlog.size
  }

  /** How many messages are delivered and not acknowledged. */
  get unacked(): number {
    return this.#unacked
  }

  get consumers(): readonly QueueConsumer[] {
    return this.#consumers
  }

  /** Adds a message; false when the queue is full and rejects it. */
  publish(message: Message): boolean {
    const { settings } = this.declared
    if (this.ready >= settings.maxMessages && settings.overflow !== 'drop-head') {
      if (settings.overflow === 'reject-publish-dlx') this.#deps.deadLetter(this, message, 'maxlen')
      return false
    }
    this.#sequence += 1
    const expiresAtMs =
      this.#deps.clock.now() + Math.min(ttlOf(settings), message.expirationMs ?? Number.POSITIVE_INFINITY)
    this.#backlog.append({ message, sequence: this.#sequence, requeues: 0, expiresAtMs })
    this.pump()
    while (this.ready > settings.maxMessages) this.#deadLetter(this.#backlog.take(), 'maxlen')
    return true
  }

  /** Takes the first message, which the caller settles, rejects or requeues later. */
  take(): QueuedMessage | undefined {
    this.#expireHead()
    const entry = this.#backlog.take()
    if (entry !== undefined) this.#unacked += 1
    return entry
  }

  /** A taken message is acknowledged. */
  settle(): void {
    this.#unacked -= 1
  }

  /** A taken message is rejected and dead-lettered. */
  reject(entry: QueuedMessage): void {
    this.#unacked -= 1
    this.#deadLetter(entry, 'rejected')
  }

  /** Requeues a taken message. Call {@link pump} after the last one. */
  requeue(entry: QueuedMessage, reason: RequeueReason): void {
    this.#unacked -= 1
    if (this.#isDeleted) return
    const { type, deliveryLimit } = this.declared.settings
    const returned = { ...entry, requeues: entry.requeues + 1 }
    if (returned.requeues > deliveryLimit) this.#deadLetter(returned, 'delivery_limit')
    else if (type === 'classic') this.#backlog.restore(returned)
    // RabbitMQ 3.10 moves a message that a consumer of a quorum queue rejects to the end, unless there is a delivery
    // limit.
    else if (reason === 'refused' && deliveryLimit === Number.POSITIVE_INFINITY)
      this.#backlog.append(returned)
    else this.#backlog.appendReturned(returned)
  }

  addConsumer(consumer: QueueConsumer): void {
    this.#consumers.push(consumer)
    this.pump()
  }

  removeConsumer(consumer: QueueConsumer): void {
    this.#consumers = this.#consumers.filter((other) => other !== consumer)
  }

  /** Delivers as long as there is a message and a consumer with room for it. */
  pump(): void {
    this.#expireHead()
    while (this.ready > 0) {
      const consumer = this.#nextConsumer()
      if (consumer === undefined) break
      const entry = this.take()
      if (entry === undefined) break
      consumer.deliver(this, entry)
    }
    this.#scheduleExpiry()
  }

  /** Removes the ready messages and returns their number. */
  purge(): number {
    return this.#backlog.clear()
  }

  /** Drops what a restart does not survive. */
  forgetTransient(): void {
    const { type } = this.declared.settings
    this.#backlog.retain(({ message }) => message.persistent || type === 'quorum')
  }

  /** Cancels all consumers. */
  cancelConsumers(): void {
    for (const consumer of this.#consumers.splice(0)) consumer.cancelled()
  }

  /** Deletes the queue: drops its messages, stops its timer and cancels its consumers. */
  close(): void {
    this.#isDeleted = true
    this.#cancelExpiry()
    this.#backlog.clear()
    this.cancelConsumers()
  }

  #nextConsumer(): QueueConsumer | undefined {
    const [active] = this.#consumers
    // The others wait until the active consumer is cancelled.
    if (this.declared.settings.singleActiveConsumer) return active?.canReceive() === true ? active : undefined
    const at = this.#consumers.findIndex((consumer) => consumer.canReceive())
    const [consumer] = at === -1 ? [] : this.#consumers.splice(at, 1)
    if (consumer !== undefined) this.#consumers.push(consumer)
    return consumer
  }

  #deadLetter(entry: QueuedMessage | undefined, reason: DeathReason): void {
    if (entry !== undefined && !this.#isDeleted) this.#deps.deadLetter(this, entry.message, reason)
  }

  // A message expires at the head of the queue, as in RabbitMQ: one behind a later deadline waits.
  #expireHead(): void {
    const now = this.#deps.clock.now()
    for (
      let head = this.#backlog.head;
      head !== undefined && head.expiresAtMs < now;
      head = this.#backlog.head
    ) {
      this.#deadLetter(this.#backlog.take(), 'expired')
    }
  }

  #scheduleExpiry(): void {
    this.#cancelExpiry()
    this.#cancelExpiry = () => undefined
    const expiresAtMs = this.#backlog.head?.expiresAtMs ?? Number.POSITIVE_INFINITY
    if (expiresAtMs === Number.POSITIVE_INFINITY) return
    // One millisecond more: at its deadline a message is still delivered to a consumer that waits for it.
    const remainingMs = expiresAtMs - this.#deps.clock.now() + 1
    this.#cancelExpiry = this.#deps.clock.after(remainingMs, () => this.pump())
  }
}

/** The message as a client receives it: a quorum queue counts requeues in a header, for basic.get also 0. */
export function deliveryOf(
  queue: Queue,
  { message, requeues }: QueuedMessage,
  how: 'deliver' | 'get',
): Message {
  if (queue.declared.settings.type === 'classic' || (requeues === 0 && how === 'deliver')) return message
  return withHeader(message, 'x-delivery-count', { type: 'long', value: BigInt(requeues) })
}

function ttlOf(settings: QueueSettings): number {
  return settings.messageTtlMs ?? Number.POSITIVE_INFINITY
}

// Below this the emptied front of the array is not worth moving the rest for.
const compactAfter = 1024

/** The ready messages of a queue in order: requeued messages before new ones. */
class Backlog {
  #returned: QueuedMessage[] = []
  #fresh: QueuedMessage[] = []
  // Where `#fresh` begins: shifting an array moves all of it.
  #start = 0

  get size(): number {
    return this.#returned.length + this.#fresh.length - this.#start
  }

  get head(): QueuedMessage | undefined {
    return this.#returned[0] ?? this.#fresh[this.#start]
  }

  /** Adds a message behind all others. */
  append(entry: QueuedMessage): void {
    this.#fresh.push(entry)
  }

  /** Requeues a message at its old position. It was taken from the head, so it comes before all new messages. */
  restore(entry: QueuedMessage): void {
    const behind = this.#returned.findIndex((other) => other.sequence > entry.sequence)
    this.#returned.splice(behind === -1 ? this.#returned.length : behind, 0, entry)
  }

  /** Requeues a message before all new messages and behind those requeued earlier. */
  appendReturned(entry: QueuedMessage): void {
    this.#returned.push(entry)
  }

  take(): QueuedMessage | undefined {
    const returned = this.#returned.shift()
    if (returned !== undefined) return returned
    const entry = this.#fresh[this.#start]
    if (entry === undefined) return undefined
    this.#start += 1
    if (this.#start >= compactAfter && this.#start * 2 > this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#start)
      this.#start = 0
    }
    return entry
  }

  /** Removes all messages and returns their number. */
  clear(): number {
    const { size } = this
    this.#returned = []
    this.#fresh = []
    this.#start = 0
    return size
  }

  /** Keeps only the messages for which `isKept` returns true. */
  retain(isKept: (entry: QueuedMessage) => boolean): void {
    this.#returned = this.#returned.filter(isKept)
    this.#fresh = this.#fresh.slice(this.#start).filter(isKept)
    this.#start = 0
  }
}
