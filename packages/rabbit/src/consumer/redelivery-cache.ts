import type { Clock } from '@ha/core'
import type { ChannelDelivery, Disposition, HandlerRun } from './delivery.ts'

/** What is to be done about a message that has come. */
export type DeliveryDecision =
  /** Its handler is to run. */
  | { readonly kind: 'run'; readonly run: HandlerRun }
  /** Its handler is at work, and its answer will go to what came now. */
  | { readonly kind: 'joined' }
  /** Its handler finished earlier; the answer did not arrive and is given again. */
  | { readonly kind: 'answered'; readonly messageId: string; readonly disposition: Disposition }

type CacheEntry =
  | { readonly kind: 'running'; readonly run: HandlerRun }
  | {
      readonly kind: 'settled'
      readonly disposition: Disposition
      /** Fires when the channel is gone on which it was answered. */
      readonly over: AbortSignal
      readonly atMs: number
    }
  /** Two messages of that id were at work at once: it names neither. */
  | { readonly kind: 'shared'; readonly atMs: number }

// Ids of some 40 bytes: ten thousand are under two megabytes. The broker hands out again within seconds; ten minutes
// also cover a node that was away.
const maxEntries = 10_000
const maxAgeMs = 600_000

/**
 * Knows by their ids the messages of a queue that handlers are at work on, or have decided about, so that a message
 * whose answer did not arrive is answered without running its handler a second time in this process. It recognises
 * only what the broker marks as handed out before, and whose earlier channel is gone: anything else under a known id
 * is another message, and its handler runs.
 */
export class RedeliveryCache {
  readonly #clock: Clock
  readonly #entries = new Map<string, CacheEntry>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Decides about a message that has come. */
  onDelivery(messageId: string | undefined, handout: ChannelDelivery): DeliveryDecision {
    const run: HandlerRun = { latest: handout }
    if (messageId === undefined) return { kind: 'run', run }
    const known = this.#find(messageId)
    const again = known !== undefined && isRedelivery(known, handout)
    if (again && known.kind === 'running') {
      known.run.latest = handout
      return { kind: 'joined' }
    }
    if (again && known.kind === 'settled') {
      this.#keep(messageId, { ...known, over: handout.closed })
      return { kind: 'answered', messageId, disposition: known.disposition }
    }
    const isShared = known !== undefined && known.kind !== 'settled'
    this.#keep(messageId, isShared ? { kind: 'shared', atMs: this.#clock.now() } : { kind: 'running', run })
    return { kind: 'run', run }
  }

  /**
   * Notes how a run ended: with its answer, or without one when its message is to come again. True when the answer is
   * remembered.
   */
  onHandled(messageId: string | undefined, run: HandlerRun, disposition: Disposition | undefined): boolean {
    if (messageId === undefined) return false
    const known = this.#entries.get(messageId)
    if (known?.kind !== 'running' || known.run !== run) return false
    // What was to be requeued is requeued by the loss of its channel as well.
    const isFinal = disposition !== undefined && disposition !== 'requeue'
    if (!isFinal) this.#entries.delete(messageId)
    else {
      const { closed: over } = run.latest
      this.#keep(messageId, { kind: 'settled', disposition, over, atMs: this.#clock.now() })
    }
    return isFinal
  }

  #find(messageId: string): CacheEntry | undefined {
    const known = this.#entries.get(messageId)
    if (known === undefined || known.kind === 'running') return known
    return this.#clock.now() - known.atMs < maxAgeMs ? known : undefined
  }

  // The oldest goes first. Whatever is forgotten is handled once more.
  #keep(messageId: string, known: CacheEntry): void {
    this.#entries.delete(messageId)
    this.#entries.set(messageId, known)
    if (this.#entries.size <= maxEntries) return
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined) this.#entries.delete(oldest)
  }
}

// The broker does not hand out again what an open channel still holds, or has answered.
function isRedelivery(known: CacheEntry, { message }: ChannelDelivery): boolean {
  if (!message.fields.redelivered) return false
  switch (known.kind) {
    case 'running':
      return known.run.latest.closed.aborted
    case 'settled':
      return known.over.aborted
    case 'shared':
      return false
  }
}
