import type { Clock } from '@ha/core'

// Deadlines are kept to within this: one timer for all messages instead of one for each.
const grainMs = 50

/** One timer for the deadlines of many. */
export class Sweep {
  readonly #clock: Clock
  /** Ends what is due and returns the next deadline. */
  readonly #due: (nowMs: number) => number | undefined
  #atMs = Number.POSITIVE_INFINITY
  #cancel: () => void = () => undefined

  constructor(clock: Clock, due: (nowMs: number) => number | undefined) {
    this.#clock = clock
    this.#due = due
  }

  /** Sees to it that {@link due} is called soon after this deadline. */
  note(deadlineMs: number): void {
    if (deadlineMs >= this.#atMs) return
    this.#cancel()
    this.#atMs = deadlineMs
    this.#cancel = this.#clock.after(deadlineMs - this.#clock.now() + grainMs, () => this.#fire())
  }

  stop(): void {
    this.#cancel()
    this.#atMs = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#atMs = Number.POSITIVE_INFINITY
    const next = this.#due(this.#clock.now())
    if (next !== undefined) this.note(next)
  }
}
