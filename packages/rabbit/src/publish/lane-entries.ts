import { type Entry, fail, outcomeOf } from './entry.ts'
import { closedBefore, lostOnTheWay, tooOld } from './failures.ts'
import { InFlight } from './in-flight.ts'
import { WaitingLine } from './waiting-line.ts'

/** How many messages were given up, by what is known of them. */
export interface Left {
  readonly unknown: number
  readonly notSent: number
}

/** Everything that a lane has accepted and not settled: waiting, in flight, or nacked. */
export class LaneEntries {
  readonly waiting: WaitingLine = new WaitingLine()
  /** Sent on the current channel. */
  inFlight: InFlight = new InFlight()
  /** Nacked on the current channel, to be sent again on the next one. */
  nacked: Entry[] = []
  /** How many were put back to be sent again. */
  replayed = 0

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
  abandon(): Left {
    const left = { unknown: 0, notSent: 0 }
    for (const entry of this.#unsettled()) {
      left[outcomeOf(entry) === 'unknown' ? 'unknown' : 'notSent'] += 1
      fail(entry, closedBefore(entry))
    }
    this.waiting.prune()
    return left
  }

  *#unsettled(): Generator<Entry> {
    for (const entries of [this.inFlight, this.nacked, this.waiting]) {
      for (const entry of entries) if (!entry.settled) yield entry
    }
  }
}
