import { Deque } from './deque.ts'
import type { Entry } from './entry.ts'

/** What is accepted and still, or again, to be sent: in the order of acceptance. */
export class WaitingLine {
  #entries = new Deque<Entry>()

  get length(): number {
    return this.#entries.length
  }

  add(entry: Entry): void {
    this.#entries.pushBack(entry)
  }

  /** Puts back what was sent before, ahead of everything that was not. */
  putBack(entries: readonly Entry[]): void {
    const ordered = entries.filter((entry) => !entry.settled).sort((a, b) => a.sequence - b.sequence)
    for (const entry of ordered.reverse()) {
      entry.returned = undefined
      this.#entries.pushFront(entry)
    }
  }

  /** The next one to send, or undefined. It stays until {@link take}. */
  peek(): Entry | undefined {
    while (this.#entries.at(0)?.settled === true) this.#entries.popFront()
    return this.#entries.at(0)
  }

  take(): void {
    this.#entries.popFront()
  }

  /** Forgets what is settled, so that a long outage does not keep what nobody waits for. */
  prune(): void {
    if (this.peek() === undefined) return
    const unsettled = [...this.#entries].filter((entry) => !entry.settled)
    if (unsettled.length === this.#entries.length) return
    this.#entries = new Deque<Entry>()
    for (const entry of unsettled) this.#entries.pushBack(entry)
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.#entries[Symbol.iterator]()
  }
}
