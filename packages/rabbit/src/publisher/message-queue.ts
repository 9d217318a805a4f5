import type { AsyncResource } from 'node:async_hooks'
import type { HaError, Outcome } from '@ha/core'
import type { Options } from '../driver/types.ts'

/** The broker's confirm of a published message. */
export interface Receipt {
  readonly messageId: string
  /** How often the message was sent until the broker confirmed it. */
  readonly attempts: number
  /**
   * True when the message was sent more than once: the broker may hold several copies with the same `messageId`. When
   * false, the queue holds the message once.
   */
  readonly maybeDuplicate: boolean
  /** The node that confirmed it, as `host:port`. */
  readonly endpoint: string
  /** From `publish()` to the confirm, in milliseconds. */
  readonly latencyMs: number
}

/** An accepted message, until it is settled. */
export interface PublishEntry {
  /** Its number in the order of acceptance. */
  readonly sequence: number
  readonly messageId: string
  readonly exchange: string
  readonly key: string
  readonly content: Buffer
  readonly properties: Options.Publish
  readonly acceptedAtMs: number
  /** Clock time at which the publish times out. */
  readonly deadlineMs: number
  /** Whether it may be sent again when it is unknown whether the broker has it. */
  readonly repeatable: boolean
  /** Number of times it was sent. */
  attempts: number
  /** Number of times the broker nacked it. */
  nacks: number
  /** Sent on the current channel and not answered. */
  inFlight: boolean
  /** Set by basic.return: no queue matched. The ack that follows means `unroutable`. */
  returned: string | undefined
  settled: boolean
  /** Its size in the publish buffer. */
  readonly bytes: number
  /** The size of its content header on the wire; 0 without headers, when it fits into every frame. */
  readonly headerBytes: number
  /** The async context of the caller: the driver is called in it, also when the message had to wait or is sent again. */
  readonly scope: AsyncResource
  resolve: (receipt: Receipt) => void
  reject: (error: HaError) => void
  /** Removes the listener from the caller's signal; undefined without a signal. */
  unlisten: (() => void) | undefined
  /** Called when it is settled; releases its space in the publish buffer. */
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

/** The outcome of an entry that fails now: a message that was sent may have arrived. */
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

/** Numbers of messages that were not confirmed, by outcome. */
export interface UnconfirmedCounts {
  readonly unknown: number
  readonly notSent: number
}

/** The accepted messages of one publisher that are not settled: waiting, in flight, or nacked. */
export class MessageQueue {
  readonly waiting: SendQueue = new SendQueue()
  /** Sent on the current channel. */
  inFlight: InFlight = new InFlight()
  /** Nacked on the current channel, to be sent again on the next one. */
  nacked: PublishEntry[] = []
  /** Number of messages that were queued again. */
  replayed = 0

  /** Takes the messages of a closed channel: first the unanswered ones, then the nacked ones. */
  takeUnconfirmed(): readonly PublishEntry[] {
    const taken = [...this.inFlight.takeAll(), ...this.nacked]
    this.nacked = []
    this.inFlight = new InFlight()
    return taken
  }

  /** Returns messages that are not settled to the front of the queue, in order. */
  putBack(entries: readonly PublishEntry[]): void {
    this.replayed += entries.filter((entry) => !entry.settled).length
    this.waiting.putBack(entries)
  }

  /** Fails the messages whose deadline is before `nowMs`; returns the next deadline. */
  expire(nowMs: number, errorOf: (entry: PublishEntry) => HaError): number | undefined {
    let next: number | undefined
    for (const entry of this.#unsettled()) {
      if (entry.deadlineMs <= nowMs) fail(entry, errorOf(entry))
      else if (next === undefined || entry.deadlineMs < next) next = entry.deadlineMs
    }
    this.waiting.prune()
    return next
  }

  /** Fails all messages and counts them by outcome. */
  failAll(errorOf: (entry: PublishEntry) => HaError): UnconfirmedCounts {
    const counts = { unknown: 0, notSent: 0 }
    for (const entry of this.#unsettled()) {
      counts[outcomeOf(entry) === 'unknown' ? 'unknown' : 'notSent'] += 1
      fail(entry, errorOf(entry))
    }
    this.waiting.prune()
    return counts
  }

  *#unsettled(): Generator<PublishEntry> {
    for (const entries of [this.inFlight, this.nacked, this.waiting]) {
      for (const entry of entries) if (!entry.settled) yield entry
    }
  }
}

// Shorter queues are not pruned.
const minPruneLength = 1_024

/** The messages to be sent, in the order of acceptance. */
export class SendQueue {
  /** Messages that were sent before; they go first. */
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
    // Doubling the threshold makes the cost of pruning constant per message.
    this.#pruneAt = Math.max(minPruneLength, 2 * this.length)
  }

  /** Returns messages that were sent before, ahead of all others. */
  putBack(entries: readonly PublishEntry[]): void {
    const ordered = entries.filter((entry) => !entry.settled).sort(bySequence)
    for (const entry of ordered) entry.returned = undefined
    const [first] = ordered
    const last = ordered.at(-1)
    if (first === undefined || last === undefined) return
    const { length } = this.#again
    if (length === 0 || bySequence(this.#again.at(length - 1), first) < 0)
      for (const entry of ordered) this.#again.pushBack(entry)
    else if (bySequence(last, this.#again.at(0)) < 0)
      for (const entry of ordered.reverse()) this.#again.pushFront(entry)
    else this.#again = dequeOf([...this.#again, ...ordered].sort(bySequence))
  }

  /** The next message to send, or undefined. It stays in the queue until {@link take}. */
  peek(): PublishEntry | undefined {
    return first(this.#again) ?? first(this.#fresh)
  }

  take(): void {
    const line = first(this.#again) === undefined ? this.#fresh : this.#again
    line.popFront()
  }

  /** The oldest message that was never sent, or undefined. */
  peekUnsent(): PublishEntry | undefined {
    return first(this.#fresh)
  }

  /** Removes the messages that match, and returns them in order. */
  takeWhere(matches: (entry: PublishEntry) => boolean): readonly PublishEntry[] {
    const taken: PublishEntry[] = []
    const stays = (entry: PublishEntry): boolean => {
      if (entry.settled || !matches(entry)) return !entry.settled
      taken.push(entry)
      return false
    }
    this.#again = filtered(this.#again, stays)
    this.#fresh = filtered(this.#fresh, stays)
    return taken
  }

  /** Removes settled messages, so that they do not stay in memory during a long outage. */
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
  return filtered(line, (entry) => !entry.settled)
}

function filtered(line: Deque<PublishEntry>, stays: (entry: PublishEntry) => boolean): Deque<PublishEntry> {
  const left = [...line].filter(stays)
  if (left.length === line.length) return line
  return dequeOf(left)
}

function dequeOf(entries: readonly PublishEntry[]): Deque<PublishEntry> {
  const deque = new Deque<PublishEntry>()
  for (const entry of entries) deque.pushBack(entry)
  return deque
}

function bySequence(a: PublishEntry | undefined, b: PublishEntry | undefined): number {
  return (a?.sequence ?? 0) - (b?.sequence ?? 0)
}

/** The unanswered messages of one channel. Delivery tags count from 1 in the order of sending. */
export class InFlight {
  readonly #entries = new Deque<PublishEntry>()
  #lowTag = 1

  get length(): number {
    return this.#entries.length
  }

  /** Records that a message was sent. */
  add(entry: PublishEntry): void {
    entry.attempts += 1
    entry.inFlight = true
    this.#entries.pushBack(entry)
  }

  /** Takes the messages of an ack or nack, in the order of sending. A repeated answer yields none. */
  takeAnswered(deliveryTag: number, multiple: boolean): readonly PublishEntry[] {
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

  /** The message of a basic.return: the oldest unanswered one with this id, exchange and key. */
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

  /** Takes unanswered messages that match, in the order of sending. A late answer to one of them yields none. */
  release(matches: (entry: PublishEntry) => boolean): readonly PublishEntry[] {
    const released: PublishEntry[] = []
    for (let i = 0; i < this.#entries.length; i++) {
      const entry = this.#entries.at(i)
      if (entry?.inFlight !== true || !matches(entry)) continue
      entry.inFlight = false
      // It may be in flight elsewhere soon: a copy keeps its delivery tag, and is nobody's to settle.
      this.#entries.set(i, { ...entry, settled: true })
      released.push(entry)
    }
    this.#trim()
    return released
  }

  /** Takes all unanswered messages, in the order of sending. */
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

/** A double-ended queue with constant-time operations: a ring that grows by doubling. */
export class Deque<T> {
  #ring: (T | undefined)[] = new Array(16)
  #first = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The item at an index from the front, or undefined beyond the end. */
  at(index: number): T | undefined {
    return index < 0 || index >= this.#length ? undefined : this.#ring[this.#slot(index)]
  }

  /** Replaces the item at an index below the length. */
  set(index: number, item: T): void {
    this.#ring[this.#slot(index)] = item
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
    // The ring must not keep a removed item alive.
    this.#ring[this.#first] = undefined
    this.#first = this.#slot(1)
    this.#length -= 1
    return item
  }

  /** Takes all items, front first. */
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

  // The length of the ring is a power of two: a mask replaces the remainder.
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
