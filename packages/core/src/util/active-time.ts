import type { Clock } from '../util/clock.ts'

/**
 * Counts the time in which this process could receive answers. A blocked event loop makes timers late and leaves answers
 * unread, so blocked time does not count against a server.
 */
export class ActiveTime {
  readonly #clock: Clock
  readonly #tickMs: number
  #lastTickAt: number

  /** @param tickMs the interval at which {@link tick} is called, in milliseconds. */
  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock
    this.#tickMs = tickMs
    this.#lastTickAt = clock.now()
  }

  /** The active time since the last call, in milliseconds: the elapsed time, but at most one tick. */
  tick(): number {
    const now = this.#clock.now()
    const elapsed = now - this.#lastTickAt
    this.#lastTickAt = now
    return Math.min(elapsed, this.#tickMs)
  }
}
