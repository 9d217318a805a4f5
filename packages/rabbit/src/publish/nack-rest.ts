import { type Backoff, type Clock, fullJitter } from '@ha/core'
import type { Entry } from './entry.ts'

// A queue that is full, or a leader that is being elected, refuses for a while: this is how long a lane rests.
const nackBackoff: Backoff = fullJitter({ baseMs: 50, maxMs: 2_000 })

/** The pause after the broker could not take a message: longer each time, until it takes one again. */
export class NackRest {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #onOver: (entries: readonly Entry[]) => void
  #entries: Entry[] = []
  #pauses = 0
  #cancel: (() => void) | undefined

  constructor(clock: Clock, random: () => number, onOver: (entries: readonly Entry[]) => void) {
    this.#clock = clock
    this.#random = random
    this.#onOver = onOver
  }

  get length(): number {
    return this.#entries.length
  }

  /** Begins a pause, or adds to the one that is on; when it is over, everything nacked meanwhile is handed back. */
  add(entries: readonly Entry[]): void {
    this.#entries.push(...entries)
    if (this.#cancel !== undefined) return
    this.#cancel = this.#clock.after(nackBackoff(this.#pauses, this.#random), () => this.#end())
    this.#pauses += 1
  }

  /** The broker takes messages again. */
  reset(): void {
    this.#pauses = 0
  }

  /** Ends the pause for good, without handing anything back. */
  stop(): void {
    this.#cancel?.()
    this.#entries = []
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.#entries[Symbol.iterator]()
  }

  #end(): void {
    this.#cancel = undefined
    this.#onOver(this.#entries.splice(0))
  }
}
