import { type Entry, fail, outcomeOf } from './entry.ts'
import { closedBefore, dropped, lostOnTheWay, tooOld } from './failures.ts'
import { InFlight } from './in-flight.ts'
import { WaitingLine } from './waiting-line.ts'

/** Everything that a lane has accepted and not settled: waiting, in flight, or nacked. */
export class LaneEntries {
  readonly waiting: WaitingLine = new WaitingLine()
  /** Sent on the current channel. */
  inFlight: InFlight = new InFlight()
  /** Nacked on the current channel, to be sent again on the next one. */
  nacked: Entry[] = []
  /** How many were put back to be sent again. */
  replayed = 0

  get pending(): number {
    return this.waiting.length + this.inFlight.length + this.nacked.length
  }

  /** Takes everything off a channel that is over: first what it did not answer, then what it refused. */
  takeOff(): readonly Entry[] {
    const taken = [...this.inFlight.takeAll(), ...this.nacked]
    this.nacked = []
    this.inFlight = new InFlight()
    return taken
  }

  /** Puts back to the front what may be sent again, in order; fails the rest as unknown. */
  putBack(entries: readonly Entry[]): void {
    for (const entry of entries) if (!entry.repeatable) fail(entry, lostOnTheWay(entry))
    this.replayed += entries.filter((entry) => !entry.settled).length
    this.waiting.putBack(entries)
  }

  /** Fails everything that is over its deadline at `nowMs`; returns the next deadline. */
  expire(nowMs: number, why: string): number | undefined {
    let next: number | undefined
    for (const entry of this.#unsettled()) {
      if (entry.deadlineMs <= nowMs) fail(entry, tooOld(entry, nowMs, why))
      else if (next === undefined || entry.deadlineMs < next) next = entry.deadlineMs
    }
    this.waiting.prune()
    return next
  }

  /** Fails everything that is left, with what is known of each. */
  abandon(): { readonly unknown: number; readonly notSent: number } {
    const left = { unknown: 0, notSent: 0 }
    for (const entry of this.#unsettled()) {
      left[outcomeOf(entry) === 'unknown' ? 'unknown' : 'notSent'] += 1
      fail(entry, closedBefore(entry))
    }
    this.waiting.prune()
    return left
  }

  /** Fails the oldest message that was not sent yet; false when there is none. */
  dropOldest(): boolean {
    for (const entry of this.waiting) {
      if (entry.settled || entry.attempts > 0) continue
      fail(entry, dropped(entry))
      return true
    }
    return false
  }

  *#unsettled(): Generator<Entry> {
    for (const entries of [this.inFlight, this.nacked, this.waiting]) {
      for (const entry of entries) if (!entry.settled) yield entry
    }
  }
}
