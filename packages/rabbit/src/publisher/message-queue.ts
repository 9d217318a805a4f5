import type { HaError, Outcome } from '@ha/core'
import type { Options } from '../driver/types.ts'

/** What the broker has said about a message that was published. */
export interface Receipt {
  readonly messageId: string
  /** How often it was sent until the broker confirmed it. */
  readonly attempts: number
  /**
   * True when it was sent more than once, so that the broker may hold it more than once, under the same `messageId`.
   * A message whose receipt says false is in the queue once.
   */
  readonly maybeDuplicate: boolean
  /** The node that confirmed it, as `host:port`. */
  readonly endpoint: string
  /** From `publish()` to the confirm, in milliseconds. */
  readonly latencyMs: number
}

/** One accepted message, until it is settled. */
export interface PublishEntry {
  /** Its place in the order of acceptance. */
  readonly sequence: number
  readonly messageId: string
  readonly exchange: string
  readonly key: string
  readonly content: Buffer
  readonly properties: Options.Publish
  readonly acceptedAtMs: number
  /** Clock time after which its promise must be settled. */
  readonly deadlineMs: number
  /** Whether it may be sent again when nobody knows whether it arrived. */
  readonly repeatable: boolean
  /** How often it was sent. */
  attempts: number
  /** Sent on the current channel, and the broker has not answered for it yet. */
  inFlight: boolean
  /** The broker gave it back: no queue wanted it. The confirm that follows is then no success. */
  returned: string | undefined
  settled: boolean
  /** What it counts for in the outbox. */
  readonly bytes: number
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: HaError) => void
  /** Lets go of the caller's signal; undefined when there is none. */
  readonly unlisten: (() => void) | undefined
  /** Told when it is settled: gives its room in the outbox back. */
  readonly onSettled: (entry: PublishEntry, confirmed: boolean) => void
}

/** Settles an entry as confirmed. The first settlement counts. */
export function confirm(entry: PublishEntry, endpoint: string, nowMs: number): void {
  if (!settle(entry, true)) return
  entry.resolve({
    messageId: entry.messageId,
    attempts: entry.attempts,
    maybeDuplicate: entry.attempts > 1,
    endpoint,
    latencyMs: nowMs - entry.acceptedAtMs,
  })
}

/** Settles an entry with an error. The first settlement counts. */
export function fail(entry: PublishEntry, error: HaError): void {
  if (settle(entry, false)) entry.reject(error)
}

/** What is known of an entry that is given up now: what was sent may have arrived. */
export function outcomeOf(entry: PublishEntry): Outcome {
  return entry.attempts > 0 ? 'unknown' : 'not-done'
}

function settle(entry: PublishEntry, confirmed: boolean): boolean {
  if (entry.settled) return false
  entry.settled = true
  entry.unlisten?.()
  entry.onSettled(entry, confirmed)
  return true
}

/** How many messages were given up, by what is known of them. */
export interface UnconfirmedCounts {
  readonly unknown: number
  readonly notSent: number
}

/** Everything that a lane has accepted and not settled: waiting, in flight, or nacked. */
export class MessageQueue {
  readonly waiting: SendQueue = new SendQueue()
  /** Sent on the current channel. */
  inFlight: InFlight = new InFlight()
  /** Nacked on the current channel, to be sent again on the next one. */
  nacked: PublishEntry[] = []
  /** How many were put back to be sent again. */
  replayed = 0

  /** Takes everything off a channel that is over: first what it did not answer, then what it refused. */
  takeUnconfirmed(): readonly PublishEntry[] {
    const taken = [...this.inFlight.takeAll(), ...this.nacked]
    this.nacked = []
    this.inFlight = new InFlight()
    return taken
  }

  /** Puts back to the front what may be sent again, in order; fails the rest. */
  putBack(entries: readonly PublishEntry[], errorOf: (entry: PublishEntry) => HaError): void {
    for (const entry of entries) if (!entry.repeatable) fail(entry, errorOf(entry))
    this.replayed += entries.filter((entry) => !entry.settled).length
    this.waiting.putBack(entries)
  }

  /** Fails everything that is over its deadline at `nowMs`; returns the next deadline. */
  expire(nowMs: number, errorOf: (entry: PublishEntry) => HaError): number | undefined {
    let next: number | undefined
    for (const entry of this.#unsettled()) {
      if (entry.deadlineMs <= nowMs) fail(entry, errorOf(entry))
      else if (next === undefined || entry.deadlineMs < next) next = entry.deadlineMs
    }
    this.waiting.prune()
    return next
  }

  /** Fails everything that is left, with what is known of each. */
  failAll(errorOf: (entry: PublishEntry) => HaError): UnconfirmedCounts {
    const left = { unknown: 0, notSent: 0 }
    for (const entry of this.#unsettled()) {
      left[outcomeOf(entry) === 'unknown' ? 'unknown' : 'notSent'] += 1
      fail(entry, errorOf(entry))
    }
    this.waiting.prune()
    return left
  }

  *#unsettled(): Generator<PublishEntry> {
    for (const entries of [this.inFlight, this.nacked, this.waiting]) {
      for (const entry of entries) if (!entry.settled) yield entry
    }
  }
}

// Below this it is not worth looking for what is settled.
const minPruneLength = 1_024

/** What is accepted and still, or again, to be sent: in the order of acceptance. */
export class SendQueue {
  /** Sent before: it goes first. */
  #again = new Deque<PublishEntry>()
  #fresh = new Deque<PublishEntry>()
  #pruneAt = minPruneLength

  get length(): number {
    return this.#again.length + this.#fresh.length
  }

  add(entry: PublishEntry): void {
    this.#fresh.pushBack(entry)
    if (this.length < this.#pruneAt) return
    this.prune()
    // So that the look at all of them is paid by as many that came.
    this.#pruneAt = Math.max(minPruneLength, 2 * this.length)
  }

  /** Puts back what was sent before, ahead of everything that was not. */
  putBack(entries: readonly PublishEntry[]): void {
    const ordered = entries.filter((entry) => !entry.settled).sort((a, b) => a.sequence - b.sequence)
    for (const entry of ordered.reverse()) {
      entry.returned = undefined
      this.#again.pushFront(entry)
    }
  }

  /** The next one to send, or undefined. It stays until {@link take}. */
  peek(): PublishEntry | undefined {
    return first(this.#again) ?? first(this.#fresh)
  }

  take(): void {
    const line = first(this.#again) === undefined ? this.#fresh : this.#again
    line.popFront()
  }

  /** The oldest one that was never sent, or undefined. */
  peekUnsent(): PublishEntry | undefined {
    return first(this.#fresh)
  }

  /** Forgets what is settled, so that a long outage does not keep what nobody waits for. */
  prune(): void {
    this.#again = unsettled(this.#again)
    this.#fresh = unsettled(this.#fresh)
  }

  *[Symbol.iterator](): Generator<PublishEntry> {
    yield* this.#again
    yield* this.#fresh
  }
}

function first(line: Deque<PublishEntry>): PublishEntry | undefined {
  while (line.at(0)?.settled === true) line.popFront()
  return line.at(0)
}

function unsettled(line: Deque<PublishEntry>): Deque<PublishEntry> {
  const left = [...line].filter((entry) => !entry.settled)
  if (left.length === line.length) return line
  const pruned = new Deque<PublishEntry>()
  for (const entry of left) pruned.pushBack(entry)
  return pruned
}

/** What was sent on one channel and is not answered: delivery tags count from 1 in the order of sending. */
export class InFlight {
  readonly #entries = new Deque<PublishEntry>()
  #lowTag = 1

  get length(): number {
    return this.#entries.length
  }

  /** Notes that an entry was handed to the driver. */
  add(entry: PublishEntry): void {
    entry.attempts += 1
    entry.inFlight = true
    this.#entries.pushBack(entry)
  }

  /** The entries that an answer is about, in the order of sending; an answer that comes twice is about none. */
  settled(deliveryTag: number, multiple: boolean): readonly PublishEntry[] {
    const first = multiple ? 0 : deliveryTag - this.#lowTag
    const answered: PublishEntry[] = []
    for (let i = first; i <= deliveryTag - this.#lowTag; i++) {
      const entry = this.#entries.at(i)
      if (entry === undefined || !entry.inFlight) continue
      entry.inFlight = false
      answered.push(entry)
    }
    this.#trim()
    return answered
  }

  /** The entry that the broker gives back: the oldest unanswered one with that id that went the same way. */
  find({
    messageId,
    exchange,
    key,
  }: {
    messageId: unknown
    exchange: string
    key: string
  }): PublishEntry | undefined {
    for (const entry of this.#entries) {
      const isSame = entry.messageId === messageId && entry.exchange === exchange && entry.key === key
      if (isSame && entry.inFlight && entry.returned === undefined) return entry
    }
    return undefined
  }

  /** Takes everything unanswered, in the order of sending. */
  takeAll(): readonly PublishEntry[] {
    const unanswered = this.#entries.drain().filter((entry) => entry.inFlight)
    for (const entry of unanswered) entry.inFlight = false
    return unanswered
  }

  [Symbol.iterator](): Iterator<PublishEntry> {
    return this.#entries[Symbol.iterator]()
  }

  #trim(): void {
    while (this.#entries.at(0)?.inFlight === false) {
      this.#entries.popFront()
      this.#lowTag += 1
    }
  }
}

/** A queue that takes and gives at both ends in constant time; a ring that grows by doubling. */
export class Deque<T> {
  #ring: (T | undefined)[] = new Array(16)
  #first = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The item at a place from the front, or undefined beyond the end. */
  at(index: number): T | undefined {
    return index < 0 || index >= this.#length ? undefined : this.#ring[this.#slot(index)]
  }

  pushBack(item: T): void {
    this.#grow()
    this.#ring[this.#slot(this.#length)] = item
    this.#length += 1
  }

  pushFront(item: T): void {
    this.#grow()
    this.#first = this.#slot(this.#ring.length - 1)
    this.#ring[this.#first] = item
    this.#length += 1
  }

  popFront(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#ring[this.#first]
    // Nothing that has left may be kept alive by its old place.
    this.#ring[this.#first] = undefined
    this.#first = this.#slot(1)
    this.#length -= 1
    return item
  }

  /** Takes everything, front first. */
  drain(): T[] {
    const items: T[] = []
    for (let item = this.popFront(); item !== undefined; item = this.popFront()) items.push(item)
    return items
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = 0; i < this.#length; i++) {
      const item = this.at(i)
      if (item !== undefined) yield item
    }
  }

  // The ring's length is a power of two, so that the remainder is a mask.
  #slot(index: number): number {
    return (this.#first + index) & (this.#ring.length - 1)
  }

  #grow(): void {
    if (this.#length < this.#ring.length) return
    const items = Array.from({ length: this.#length }, (_, i) => this.at(i))
    this.#ring = [...items, ...new Array(items.length)]
    this.#first = 0
  }
}
