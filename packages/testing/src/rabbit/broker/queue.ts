import type { Clock } from '@ha/core'
import type { FieldTable } from '../wire/field-tables.ts'
import type { QueueSettings } from './arguments.ts'
import { type DeathReason, type Message, type QueuedMessage, withHeader } from './messages.ts'

/** Something that a queue delivers to. */
export interface QueueConsumer {
  readonly exclusive: boolean
  /** Whether it may hold one more message. */
  canReceive(): boolean
  deliver(queue: Queue, entry: QueuedMessage): void
  /** It gets nothing more: the broker has sent it away. */
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

/** Why a message comes back: its channel is gone, or somebody refused it. */
export type RequeueReason = 'channel-gone' | 'refused'

/** A queue: messages in order, and consumers that take turns. */
export class Queue {
  readonly declared: QueueDeclaration
  readonly #deps: QueueDeps
  readonly #backlog = new Backlog()
  // The one whose turn it is comes first.
  #consumers: QueueConsumer[] = []
  #sequence = 0
  #unacked = 0
  #cancelExpiry: () => void = () => undefined
  // Its messages are gone with it, also those that somebody still holds.
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

  /** How many messages consumers hold. */
  get unacked(): number {
    return this.#unacked
  }

  get consumers(): readonly QueueConsumer[] {
    return this.#consumers
  }

  /** Adds a message; false when the queue is full and refuses it. */
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

  /** Takes the first message, to be given back or settled later. */
  take(): QueuedMessage | undefined {
    this.#expireHead()
    const entry = this.#backlog.take()
    if (entry !== undefined) this.#unacked += 1
    return entry
  }

  /** A taken message is done with. */
  settle(): void {
    this.#unacked -= 1
  }

  /** A taken message is refused for good. */
  reject(entry: QueuedMessage): void {
    this.#unacked -= 1
    this.#deadLetter(entry, 'rejected')
  }

  /** A taken message comes back. Call {@link pump} when all have. */
  requeue(entry: QueuedMessage, reason: RequeueReason): void {
    this.#unacked -= 1
    if (this.#isDeleted) return
    const { type, deliveryLimit } = this.declared.settings
    const returned = { ...entry, requeues: entry.requeues + 1 }
    if (returned.requeues > deliveryLimit) this.#deadLetter(returned, 'delivery_limit')
    else if (type === 'classic') this.#backlog.restore(returned)
    // RabbitMQ 3.10 moves what a consumer of a quorum queue refuses to the end, unless a limit ends its turns.
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

  /** Removes what waits and says how much it was. */
  purge(): number {
    return this.#backlog.clear()
  }

  /** Forgets what a restart does not survive. */
  forgetTransient(): void {
    const { type } = this.declared.settings
    this.#backlog.retain(({ message }) => message.persistent || type === 'quorum')
  }

  /** Sends all consumers away, and tells them. */
  cancelConsumers(): void {
    for (const consumer of this.#consumers.splice(0)) consumer.cancelled()
  }

  /** The queue is gone: so are its messages and its timer, and its consumers are sent away. */
  close(): void {
    this.#isDeleted = true
    this.#cancelExpiry()
    this.#backlog.clear()
    this.cancelConsumers()
  }

  #nextConsumer(): QueueConsumer | undefined {
    const [active] = this.#consumers
    // The others wait for their turn, which comes when it is gone.
    if (this.declared.settings.singleActiveConsumer) return active?.canReceive() === true ? active : undefined
    const at = this.#consumers.findIndex((consumer) => consumer.canReceive())
    const [consumer] = at === -1 ? [] : this.#consumers.splice(at, 1)
    if (consumer !== undefined) this.#consumers.push(consumer)
    return consumer
  }

  #deadLetter(entry: QueuedMessage | undefined, reason: DeathReason): void {
    if (entry !== undefined && !this.#isDeleted) this.#deps.deadLetter(this, entry.message, reason)
  }

  // A message expires when it stands at the front, as in RabbitMQ: one behind a younger deadline waits.
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
    // One millisecond more: at its very deadline a message still goes to a consumer that waits for it.
    const remainingMs = expiresAtMs - this.#deps.clock.now() + 1
    this.#cancelExpiry = this.#deps.clock.after(remainingMs, () => this.pump())
  }
}

/** The message as a client gets it: a quorum queue tells in a header how often it came back, to basic.get even 0. */
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

/** The messages of a queue that wait for a consumer, in order: what came back stands before what is new. */
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

  /** Puts a message back where it was. What comes back was taken from the front, so it stands before all that is new. */
  restore(entry: QueuedMessage): void {
    const behind = this.#returned.findIndex((other) => other.sequence > entry.sequence)
    this.#returned.splice(behind === -1 ? this.#returned.length : behind, 0, entry)
  }

  /** Puts a message back before all that is new, behind what came back earlier. */
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

  /** Removes everything and says how much it was. */
  clear(): number {
    const { size } = this
    this.#returned = []
    this.#fresh = []
    this.#start = 0
    return size
  }

  /** Keeps only the messages that `isKept` wants. */
  retain(isKept: (entry: QueuedMessage) => boolean): void {
    this.#returned = this.#returned.filter(isKept)
    this.#fresh = this.#fresh.slice(this.#start).filter(isKept)
    this.#start = 0
  }
}
