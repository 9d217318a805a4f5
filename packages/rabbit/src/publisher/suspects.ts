import type { Clock } from '@ha/core'
import { requestAtFault } from '../driver/error-classification.ts'
import type { PublishEntry } from './message-queue.ts'

// A message whose answer takes longer no longer keeps the others waiting: its queue may have no leader.
const maxTurnMs = 1_000

// How often a message ends a connection for a reason that may pass, such as a queue without a leader, until it is rejected.
const maxPassingEnds = 3

// After this time the rest is sent as usual: a suspect may have to wait for its queue, or for a full route.
const maxTrialMs = 10_000

/** A publish channel, which may be waiting for its turn. */
interface TurnTaker {
  resume(reason: 'suspects'): void
}

/**
 * Finds the message that the broker ends the connection for. After such an end, everything that was in flight on any
 * channel is a suspect. Until each suspect is answered, the channels of the connection together send one message at a
 * time: when the connection ends again, it was that message.
 */
export class Suspects {
  readonly #clock: Clock
  readonly #channels: readonly TurnTaker[]
  readonly #suspects = new Set<PublishEntry>()
  readonly #ends = new WeakMap<PublishEntry, number>()
  /** Messages that had their time, and may still be answered: until then, nothing is proven. */
  readonly #late = new Set<PublishEntry>()
  #current: PublishEntry | undefined
  #cancel: () => void = () => undefined
  #cancelTrial: () => void = () => undefined
  #next = 0

  constructor(clock: Clock, channels: readonly TurnTaker[]) {
    this.#clock = clock
    this.#channels = channels
  }

  /** Whether a message may be sent now. */
  get maySend(): boolean {
    return this.#suspects.size === 0 || this.#current === undefined
  }

  onSend(entry: PublishEntry): void {
    if (this.#suspects.size === 0) return
    this.#current = entry
    this.#cancel = this.#clock.after(maxTurnMs, () => {
      this.#late.add(entry)
      this.#suspects.delete(entry)
      this.#endTurn()
    })
  }

  /** The broker has answered the message. */
  onAnswer(entry: PublishEntry): void {
    if (this.#suspects.size === 0) return
    this.#suspects.delete(entry)
    this.#late.delete(entry)
    if (entry === this.#current) this.#endTurn()
  }

  /**
   * A channel of the connection has ended with these messages in flight. Returns the one that the broker has ended the
   * connection for, when that is proven.
   */
  onEnd(inFlight: readonly PublishEntry[], error: Error): PublishEntry | undefined {
    const current = inFlight.find((entry) => entry === this.#current)
    const atFault = requestAtFault(error)
    const isProven = atFault !== undefined && current !== undefined && this.#late.size === 0
    if (atFault !== undefined) this.#add(inFlight)
    for (const entry of inFlight) this.#late.delete(entry)
    const ends = isProven ? this.#count(current) : 0
    const guilty = ends > 0 && (atFault === 'final' || ends >= maxPassingEnds) ? current : undefined
    if (guilty !== undefined) this.#suspects.delete(guilty)
    if (current !== undefined) this.#endTurn()
    return guilty
  }

  /** Removes its timers. */
  stop(): void {
    this.#cancel()
    this.#cancelTrial()
    this.#suspects.clear()
    this.#late.clear()
  }

  #add(inFlight: readonly PublishEntry[]): void {
    for (const entry of inFlight) this.#suspects.add(entry)
    this.#cancelTrial()
    this.#cancelTrial = this.#clock.after(maxTrialMs, () => {
      this.#suspects.clear()
      this.#endTurn()
    })
  }

  #count(entry: PublishEntry): number {
    const ends = (this.#ends.get(entry) ?? 0) + 1
    this.#ends.set(entry, ends)
    return ends
  }

  // The next channel in turn goes first, so that no channel takes all turns.
  #endTurn(): void {
    this.#cancel()
    this.#current = undefined
    for (const entry of this.#suspects) if (entry.settled) this.#suspects.delete(entry)
    if (this.#suspects.size === 0) this.stop()
    this.#next += 1
    const { length } = this.#channels
    for (let i = 0; i < length; i++) this.#channels[(this.#next + i) % length]?.resume('suspects')
  }
}
