import type { Clock } from '@ha/core'
import type { GuardedChannel } from '../amqp/channel.ts'
import type { ConfirmChannel, Message } from '../amqp/types.ts'
import { failGuilty } from './attribution.ts'
import { confirm, type Entry, fail, outcomeOf } from './entry.ts'
import { closedBefore, dropped, lostOnTheWay, nacked, notEncodable, tooOld, unroutable } from './failures.ts'
import { InFlight } from './in-flight.ts'
import { NackRest } from './nack-rest.ts'
import { WaitingLine } from './waiting-line.ts'

/** Why a lane sends nothing for now. */
export type Hold = 'blocked' | 'buffer-full' | 'moving' | 'nacked' | 'topology'

export interface LaneOptions {
  readonly clock: Clock
  readonly random: () => number
  /** How many messages may be unconfirmed at once. */
  readonly maxInFlight: number
  /** True when what the entry is published to is known to be there, or nothing more can be done about it. */
  readonly routeReady: (entry: Entry) => boolean
  /** Called when the broker says that an exchange is missing; true when it will be declared again. */
  readonly onExchangeMissing: (exchange: string) => boolean
}

type Channel =
  | { readonly kind: 'none' }
  | { readonly kind: 'open'; readonly guard: GuardedChannel<ConfirmChannel>; readonly endpoint: string }

// An exchange of the topology that vanishes again and again is somebody else's decision.
const mostTriesOnMissingExchange = 3

/** The messages of one publisher on their way through one confirm channel after the other, in order. */
export class Lane {
  readonly #options: LaneOptions
  readonly #waiting = new WaitingLine()
  readonly #holds = new Set<Hold>()
  #inFlight = new InFlight()
  #channel: Channel = { kind: 'none' }
  readonly #nacked: NackRest
  /** How many are still to be sent one by one, to find out which of them the broker refuses. */
  #suspects = 0
  /** Counts the broker's answers: how a stall is told from progress. */
  answers = 0
  /** How many messages were put back to be sent again. */
  replayed = 0

  constructor(options: LaneOptions) {
    this.#options = options
    this.#nacked = new NackRest(options.clock, options.random, (entries) => {
      this.#putBack(entries)
      this.release('nacked')
    })
  }

  /** Sent and not answered. */
  get unconfirmed(): number {
    return this.#inFlight.length
  }

  /** Accepted and not settled. */
  get pending(): number {
    return this.#waiting.length + this.#inFlight.length + this.#nacked.length
  }

  accept(entry: Entry): void {
    this.#waiting.add(entry)
    this.pump()
  }

  /** Goes on with a channel that has just been opened. */
  open(guard: GuardedChannel<ConfirmChannel>, endpoint: string): void {
    this.#channel = { kind: 'open', guard, endpoint }
    this.#inFlight = new InFlight()
    this.#holds.delete('buffer-full')
    this.#holds.delete('moving')
    const mine = (act: () => void): void => {
      if (!guard.over.aborted) act()
    }
    guard.channel.on('ack', ({ deliveryTag, multiple }) =>
      mine(() => this.#onAck(deliveryTag, multiple, endpoint)),
    )
    guard.channel.on('nack', ({ deliveryTag, multiple }) => mine(() => this.#onNack(deliveryTag, multiple)))
    guard.channel.on('return', (message) => this.#onReturn(message))
    guard.channel.on('drain', () => mine(() => this.release('buffer-full')))
    guard.over.addEventListener('abort', () => this.#onOver(guard.over.reason), { once: true })
    this.pump()
  }

  /** Stops sending for a reason. */
  hold(hold: Hold): void {
    this.#holds.add(hold)
  }

  /** Takes a reason away. */
  release(hold: Hold): void {
    if (this.#holds.delete(hold)) this.pump()
  }

  /** Fails everything that is over its deadline at `nowMs`; returns the next deadline. */
  expire(nowMs: number): number | undefined {
    let next: number | undefined
    for (const entry of this.#everything()) {
      if (entry.settled) continue
      if (entry.deadlineMs <= nowMs) fail(entry, tooOld(entry, nowMs, this.#why()))
      else if (next === undefined || entry.deadlineMs < next) next = entry.deadlineMs
    }
    this.#waiting.prune()
    return next
  }

  /** Fails everything that is left, with what is known of each. */
  abandon(): { readonly unknown: number; readonly notSent: number } {
    const left = { unknown: 0, notSent: 0 }
    for (const entry of this.#everything()) {
      if (entry.settled) continue
      left[outcomeOf(entry) === 'unknown' ? 'unknown' : 'notSent'] += 1
      fail(entry, closedBefore(entry))
    }
    this.#nacked.stop()
    this.#waiting.prune()
    return left
  }

  /** Fails the oldest message that was not sent yet; false when there is none. */
  dropOldest(): boolean {
    for (const entry of this.#waiting) {
      if (entry.settled || entry.attempts > 0) continue
      fail(entry, dropped(entry))
      return true
    }
    return false
  }

  /** Sends as much as may be sent. */
  pump(): void {
    if (this.#channel.kind === 'none' || this.#holds.size > 0) return
    const { guard } = this.#channel
    const window = this.#suspects > 0 ? 1 : this.#options.maxInFlight
    while (this.#inFlight.length < window) {
      const entry = this.#waiting.peek()
      if (entry === undefined) return
      if (!this.#options.routeReady(entry)) {
        this.hold('topology')
        return
      }
      this.#waiting.take()
      if (!this.#send(entry, guard)) return
    }
  }

  // False when the channel takes no more for now.
  #send(entry: Entry, { channel, over }: GuardedChannel<ConfirmChannel>): boolean {
    try {
      const goOn = channel.publish(entry.exchange, entry.key, entry.content, entry.properties)
      this.#inFlight.add(entry)
      if (!goOn) this.hold('buffer-full')
      return goOn
    } catch (cause) {
      if (isClosed(cause) || over.aborted) {
        this.#waiting.putBack([entry])
        return false
      }
      // The driver encodes before it writes: nothing of this message is on its way.
      fail(entry, notEncodable(entry, cause))
      return true
    }
  }

  #onAck(deliveryTag: number, multiple: boolean, endpoint: string): void {
    const nowMs = this.#options.clock.now()
    this.#nacked.reset()
    for (const entry of this.#answer(deliveryTag, multiple)) {
      if (entry.returned === undefined) confirm(entry, endpoint, nowMs)
      else fail(entry, unroutable(entry))
    }
    this.pump()
  }

  #onNack(deliveryTag: number, multiple: boolean): void {
    const answered = this.#answer(deliveryTag, multiple)
    for (const entry of answered) if (!entry.repeatable) fail(entry, nacked(entry))
    this.hold('nacked')
    this.#nacked.add(answered.filter((entry) => !entry.settled))
  }

  #answer(deliveryTag: number, multiple: boolean): readonly Entry[] {
    const answered = this.#inFlight.answered(deliveryTag, multiple)
    this.answers += 1
    this.#suspects = Math.max(0, this.#suspects - answered.length)
    return answered
  }

  #onReturn({ fields, properties }: Message): void {
    const entry = this.#inFlight.find(properties.messageId)
    const { replyCode, replyText } = fields as { replyCode?: unknown; replyText?: unknown }
    if (entry !== undefined) entry.returned = `${String(replyCode)} ${String(replyText)}`
  }

  #onOver(error: Error): void {
    this.#channel = { kind: 'none' }
    const unanswered = this.#inFlight.takeAll()
    this.#suspects = failGuilty(unanswered, error, (entry) => this.#mayComeBack(entry))
    this.#putBack(unanswered)
  }

  // An exchange of the topology is declared again, and what was published to it goes again.
  #mayComeBack(entry: Entry): boolean {
    const again = entry.repeatable && entry.attempts < mostTriesOnMissingExchange
    return again && this.#options.onExchangeMissing(entry.exchange)
  }

  #putBack(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (!entry.repeatable) fail(entry, lostOnTheWay(entry))
    }
    this.replayed += entries.filter((entry) => !entry.settled).length
    this.#waiting.putBack(entries)
  }

  *#everything(): Generator<Entry> {
    yield* this.#inFlight
    yield* this.#nacked
    yield* this.#waiting
  }

  #why(): string {
    if (this.#channel.kind === 'none') return ' (no connection)'
    return this.#holds.size === 0 ? '' : ` (held: ${[...this.#holds].join(', ')})`
  }
}

function isClosed(error: unknown): boolean {
  return (error as { name?: unknown }).name === 'IllegalOperationError'
}
