import type { Clock } from '@ha/core'
import type { FieldTable } from '../wire/field-value.ts'
import { Backlog } from './backlog.ts'
import type { DeathReason, Entry } from './entry.ts'
import { type Message, withHeader } from './message.ts'
import type { QueueRules } from './queue-arguments.ts'

/** Something that a queue delivers to. */
export interface QueueConsumer {
  readonly exclusive: boolean
  /** Whether it may hold one more message. */
  hasRoom(): boolean
  deliver(queue: Queue, entry: Entry): void
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
  readonly rules: QueueRules
}

/** What a queue needs from outside. */
export interface QueueEnds {
  readonly clock: Clock
  readonly deadLetter: (queue: Queue, message: Message, reason: DeathReason) => void
}

/** Why a message comes back: its channel is gone, or somebody refused it. */
export type ReturnReason = 'channel-gone' | 'refused'

/** A queue: messages in order, and consumers that take turns. */
export class Queue {
  readonly declared: QueueDeclaration
  readonly #ends: QueueEnds
  readonly #backlog = new Backlog()
  // The one whose turn it is comes first.
  #consumers: QueueConsumer[] = []
  #sequence = 0
  #unacked = 0
  #cancelExpiry: () => void = () => undefined
  // Its messages are gone with it, also those that somebody still holds.
  #isEnded = false

  constructor(declared: QueueDeclaration, ends: QueueEnds) {
    this.declared = declared
    this.#ends = ends
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
    const { rules } = this.declared
    if (this.ready >= rules.maxMessages && rules.overflow !== 'drop-head') {
      if (rules.overflow === 'reject-publish-dlx') this.#ends.deadLetter(this, message, 'maxlen')
      return false
    }
    this.#sequence += 1
    const expiresAtMs =
      this.#ends.clock.now() + Math.min(ttlOf(rules), message.expirationMs ?? Number.POSITIVE_INFINITY)
    this.#backlog.append({ message, sequence: this.#sequence, returns: 0, expiresAtMs })
    this.pump()
    while (this.ready > rules.maxMessages) this.#bury(this.#backlog.take(), 'maxlen')
    return true
  }

  /** Takes the first message, to be given back or settled later. */
  take(): Entry | undefined {
    this.#buryExpired()
    const entry = this.#backlog.take()
    if (entry !== undefined) this.#unacked += 1
    return entry
  }

  /** A taken message is done with. */
  settle(): void {
    this.#unacked -= 1
  }

  /** A taken message is refused for good. */
  reject(entry: Entry): void {
    this.#unacked -= 1
    this.#bury(entry, 'rejected')
  }

  /** A taken message comes back. Call {@link pump} when all have. */
  giveBack(entry: Entry, reason: ReturnReason): void {
    this.#unacked -= 1
    if (this.#isEnded) return
    const { kind, deliveryLimit } = this.declared.rules
    const returned = { ...entry, returns: entry.returns + 1 }
    if (returned.returns > deliveryLimit) this.#bury(returned, 'delivery_limit')
    else if (kind === 'classic') this.#backlog.restore(returned)
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
    this.#buryExpired()
    while (this.ready > 0) {
      const consumer = this.#nextConsumer()
      if (consumer === undefined) break
      const entry = this.take()
      if (entry === undefined) break
      consumer.deliver(this, entry)
    }
    this.#watchExpiry()
  }

  /** Removes what waits and says how much it was. */
  purge(): number {
    return this.#backlog.clear()
  }

  /** Forgets what a restart does not survive. */
  forgetTransient(): void {
    const { kind } = this.declared.rules
    this.#backlog.retain(({ message }) => message.persistent || kind === 'quorum')
  }

  /** Sends all consumers away, and tells them. */
  cancelConsumers(): void {
    for (const consumer of this.#consumers.splice(0)) consumer.cancelled()
  }

  /** The queue is gone: so are its messages and its timer, and its consumers are sent away. */
  end(): void {
    this.#isEnded = true
    this.#cancelExpiry()
    this.#backlog.clear()
    this.cancelConsumers()
  }

  #nextConsumer(): QueueConsumer | undefined {
    const [active] = this.#consumers
    // The others wait for their turn, which comes when it is gone.
    if (this.declared.rules.singleActiveConsumer) return active?.hasRoom() === true ? active : undefined
    const at = this.#consumers.findIndex((consumer) => consumer.hasRoom())
    const [consumer] = at === -1 ? [] : this.#consumers.splice(at, 1)
    if (consumer !== undefined) this.#consumers.push(consumer)
    return consumer
  }

  #bury(entry: Entry | undefined, reason: DeathReason): void {
    if (entry !== undefined && !this.#isEnded) this.#ends.deadLetter(this, entry.message, reason)
  }

  // A message expires when it stands at the front, as in RabbitMQ: one behind a younger deadline waits.
  #buryExpired(): void {
    const now = this.#ends.clock.now()
    for (
      let head = this.#backlog.head;
      head !== undefined && head.expiresAtMs < now;
      head = this.#backlog.head
    ) {
      this.#bury(this.#backlog.take(), 'expired')
    }
  }

  #watchExpiry(): void {
    this.#cancelExpiry()
    this.#cancelExpiry = () => undefined
    const expiresAtMs = this.#backlog.head?.expiresAtMs ?? Number.POSITIVE_INFINITY
    if (expiresAtMs === Number.POSITIVE_INFINITY) return
    // One millisecond more: at its very deadline a message still goes to a consumer that waits for it.
    const remainingMs = expiresAtMs - this.#ends.clock.now() + 1
    this.#cancelExpiry = this.#ends.clock.after(remainingMs, () => this.pump())
  }
}

/** The message as a client gets it: a quorum queue tells in a header how often it came back, to basic.get even 0. */
export function deliverable(queue: Queue, { message, returns }: Entry, how: 'deliver' | 'get'): Message {
  if (queue.declared.rules.kind === 'classic' || (returns === 0 && how === 'deliver')) return message
  return withHeader(message, 'x-delivery-count', { type: 'long', value: BigInt(returns) })
}

function ttlOf(rules: QueueRules): number {
  return rules.messageTtlMs ?? Number.POSITIVE_INFINITY
}
