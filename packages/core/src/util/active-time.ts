import type { Clock } from '../util/clock.ts'

/**
 * Counts the time during which this process could have heard something. A blocked event loop makes timers late and
 * leaves answers unread, so the time it was blocked is not held against a server.
 */
export class ActiveTime {
  readonly #clock: Clock
  readonly #tickMs: number
  #lastTickAt: number

  /** @param tickMs how often {@link tick} is meant to be called, in milliseconds. */
  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock
    this.#tickMs = tickMs
    this.#lastTickAt = clock.now()
  }

  /** The attentive milliseconds since the last call: the real ones, but never more than one tick's worth. */
  tick(): number {
    const now = this.#clock.now()
    const elapsed = now - this.#lastTickAt
    this.#lastTickAt = now
    return Math.min(elapsed, this.#tickMs)
  }
}
