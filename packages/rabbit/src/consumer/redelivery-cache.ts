import type { Clock } from '@ha/core'
import type { ConsumeMessage } from '../driver/types.ts'
import type { ChannelDelivery, Disposition, HandlerRun } from './delivery.ts'

/** What to do with a delivered message. */
export type DeliveryDecision =
  /** Run its handler. */
  | { readonly kind: 'run'; readonly run: HandlerRun }
  /** Its handler is running; the answer will be sent on this delivery. */
  | { readonly kind: 'joined' }
  /** Its handler finished earlier; the broker did not receive the answer, which is sent again. */
  | {
      readonly kind: 'answered'
      readonly messageId: string | undefined
      readonly disposition: Disposition
    }

type CacheEntry =
  | { readonly kind: 'running'; readonly run: HandlerRun }
  | {
      readonly kind: 'settled'
      readonly disposition: Disposition
      /** Fires when the channel is closed on which it was answered. */
      readonly closed: AbortSignal
      readonly atMs: number
    }
  /** Handlers of two messages with this id ran at once: the id identifies neither. */
  | { readonly kind: 'shared'; readonly atMs: number }

interface UnsentAnswer {
  readonly disposition: Disposition
  readonly atMs: number
}

// Together at most 16 MiB for each queue.
const maxUnsent = 256
const maxUnsentBytes = 65_536

// With ids of about 40 bytes, ten thousand entries take less than 2 MB. The broker redelivers within seconds; ten
// minutes also cover the restart of a node.
const maxEntries = 10_000
const maxAgeMs = 600_000

/**
 * Remembers, by message id, the messages of a queue whose handlers are running or have finished. A redelivered message
 * whose answer did not reach the broker is answered without a second run of its handler in this process. A message
 * counts as redelivered only when the broker marks it so and its earlier channel is closed: anything else with a known
 * id is another message, and its handler runs. A message without an id is recognised by its content while its handler
 * runs, and until its answer could be sent: a handler that takes longer than the broker's consumer_timeout is not begun
 * again at each redelivery.
 */
export class RedeliveryCache {
  readonly #clock: Clock
  readonly #entries = new Map<string, CacheEntry>()
  /** Messages without an id: with a running handler, or with an answer that could not be sent. */
  readonly #anonymous = new Map<HandlerRun, UnsentAnswer | undefined>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isEmpty(): boolean {
    return this.#entries.size + this.#anonymous.size === 0
  }

  /** Decides what to do with a delivered message. */
  onDelivery(messageId: string | undefined, delivery: ChannelDelivery): DeliveryDecision {
    const run: HandlerRun = { latest: delivery }
    if (messageId === undefined) return this.#onAnonymous(run, delivery)
    const known = this.#find(messageId)
    const again = known !== undefined && isRedelivery(known, delivery)
    if (again && known.kind === 'running') {
      known.run.latest = delivery
      return { kind: 'joined' }
    }
    if (again && known.kind === 'settled') {
      this.#keep(messageId, { ...known, closed: delivery.closed })
      return { kind: 'answered', messageId, disposition: known.disposition }
    }
    const isShared = known !== undefined && known.kind !== 'settled'
    this.#keep(messageId, isShared ? { kind: 'shared', atMs: this.#clock.now() } : { kind: 'running', run })
    return { kind: 'run', run }
  }

  /**
   * Records the end of a run: with its answer, or without one when its message will be redelivered. True when the
   * answer is cached.
   */
  onHandled(messageId: string | undefined, run: HandlerRun, disposition: Disposition | undefined): boolean {
    if (messageId === undefined) return this.#onAnonymousHandled(run, disposition)
    const known = this.#entries.get(messageId)
    if (known?.kind !== 'running' || known.run !== run) return false
    // Closing the channel requeues as well: `requeue` needs no cache entry.
    const isFinal = disposition !== undefined && disposition !== 'requeue'
    if (!isFinal) this.#entries.delete(messageId)
    else {
      const { closed } = run.latest
      this.#keep(messageId, { kind: 'settled', disposition, closed, atMs: this.#clock.now() })
    }
    return isFinal
  }

  // Messages of equal content may be exchanged for each other: each of them is handled, and each is answered once.
  #onAnonymous(run: HandlerRun, delivery: ChannelDelivery): DeliveryDecision {
    if (delivery.message.fields.redelivered) {
      for (const [known, answer] of this.#anonymous) {
        if (!known.latest.closed.aborted || !isSameMessage(known.latest.message, delivery.message)) continue
        if (answer === undefined) {
          known.latest = delivery
          return { kind: 'joined' }
        }
        this.#anonymous.delete(known)
        return { kind: 'answered', messageId: undefined, disposition: answer.disposition }
      }
    }
    this.#anonymous.set(run, undefined)
    return { kind: 'run', run }
  }

  // An answer that was sent may have arrived: only one that was not is sent for another message of equal content.
  #onAnonymousHandled(run: HandlerRun, disposition: Disposition | undefined): boolean {
    this.#anonymous.delete(run)
    const { closed, message } = run.latest
    const isOwed = disposition !== undefined && disposition !== 'requeue' && closed.aborted
    if (!isOwed || message.content.length > maxUnsentBytes) return false
    const nowMs = this.#clock.now()
    this.#anonymous.set(run, { disposition, atMs: nowMs })
    const unsent = [...this.#anonymous].flatMap(([known, answer]) =>
      answer === undefined ? [] : [{ known, answer }],
    )
    for (const [at, { known, answer }] of unsent.entries())
      if (nowMs - answer.atMs > maxAgeMs || at < unsent.length - maxUnsent) this.#anonymous.delete(known)
    return true
  }

  #find(messageId: string): CacheEntry | undefined {
    const known = this.#entries.get(messageId)
    if (known === undefined || known.kind === 'running') return known
    return this.#clock.now() - known.atMs < maxAgeMs ? known : undefined
  }

  // Removes the oldest entry first. The handler of a message without an entry runs again.
  #keep(messageId: string, known: CacheEntry): void {
    this.#entries.delete(messageId)
    this.#entries.set(messageId, known)
    if (this.#entries.size <= maxEntries) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
}

function isSameMessage(a: ConsumeMessage, b: ConsumeMessage): boolean {
  const { exchange, routingKey } = a.fields
  if (exchange !== b.fields.exchange || routingKey !== b.fields.routingKey) return false
  return (
    a.content.equals(b.content) && sameProperties.every((name) => a.properties[name] === b.properties[name])
  )
}

const sameProperties = ['correlationId', 'replyTo', 'type', 'timestamp', 'appId', 'userId'] as const

// The broker does not redeliver a message while the channel that received it is open.
function isRedelivery(known: CacheEntry, { message }: ChannelDelivery): boolean {
  if (!message.fields.redelivered) return false
  switch (known.kind) {
    case 'running':
      return known.run.latest.closed.aborted
    case 'settled':
      return known.closed.aborted
    case 'shared':
      return false
  }
}
