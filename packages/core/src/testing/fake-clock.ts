import { type Clock, clockOf } from '../runtime/clock.ts'

interface Timer {
  readonly atMs: number
  /** Timers of the same instant fire in the order in which they were set. */
  readonly order: number
  readonly fire: () => void
}

/** A {@link Clock} that stands still until a test advances it. */
export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>()
  readonly #clock: Clock
  #nowMs = 0
  #order = 0

  constructor() {
    this.#clock = clockOf(
      () => this.#nowMs,
      (ms, fire) => {
        const timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, fire }
        this.#timers.add(timer)
        return () => this.#timers.delete(timer)
      },
    )
  }

  now(): number {
    return this.#clock.now()
  }

  after(ms: number, fn: () => void): () => void {
    return this.#clock.after(ms, fn)
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal)
  }

  /** How many timers are set: 0 when nothing was left behind. */
  get pending(): number {
    return this.#timers.size
  }

  /** Lets `ms` pass: every timer due fires in order, and all that follows from one happens before the next. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await settle()
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.atMs)
      this.#timers.delete(timer)
      timer.fire()
      await settle()
    }
    this.#nowMs = untilMs
  }

  /** Jumps ahead like a process whose event loop was blocked: everything overdue fires afterwards, late. */
  async block(ms: number): Promise<void> {
    this.#nowMs += ms
    await this.advance(0)
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.atMs > untilMs) continue
      if (
        first === undefined ||
        timer.atMs < first.atMs ||
        (timer.atMs === first.atMs && timer.order < first.order)
      ) {
        first = timer
      }
    }
    return first
  }
}

/** Lets every promise that can settle now do so, and all that follows from it. */
export function settle(): Promise<void> {
  // An immediate runs only when the queue of microtasks is empty.
  return new Promise((resolve) => setImmediate(resolve))
}
