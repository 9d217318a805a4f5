import { Deque } from './deque.ts'
import type { Entry } from './entry.ts'

// Below this it is not worth looking for what is settled.
const smallest = 1_024

/** What is accepted and still, or again, to be sent: in the order of acceptance. */
export class WaitingLine {
  /** Sent before: it goes first. */
  #again = new Deque<Entry>()
  #fresh = new Deque<Entry>()
  #pruneAt = smallest

  get length(): number {
    return this.#again.length + this.#fresh.length
  }

  add(entry: Entry): void {
    this.#fresh.pushBack(entry)
    if (this.length < this.#pruneAt) return
    this.prune()
    // So that the look at all of them is paid by as many that came.
    this.#pruneAt = Math.max(smallest, 2 * this.length)
  }

  /** Puts back what was sent before, ahead of everything that was not. */
  putBack(entries: readonly Entry[]): void {
    const ordered = entries.filter((entry) => !entry.settled).sort((a, b) => a.sequence - b.sequence)
    for (const entry of ordered.reverse()) {
      entry.returned = undefined
      this.#again.pushFront(entry)
    }
  }

  /** The next one to send, or undefined. It stays until {@link take}. */
  peek(): Entry | undefined {
    return first(this.#again) ?? first(this.#fresh)
  }

  take(): void {
    const line = first(this.#again) === undefined ? this.#fresh : this.#again
    line.popFront()
  }

  /** The oldest one that was never sent, or undefined. */
  peekFresh(): Entry | undefined {
    return first(this.#fresh)
  }

  /** Forgets what is settled, so that a long outage does not keep what nobody waits for. */
  prune(): void {
    this.#again = unsettled(this.#again)
    this.#fresh = unsettled(this.#fresh)
  }

  *[Symbol.iterator](): Generator<Entry> {
    yield* this.#again
    yield* this.#fresh
  }
}

function first(line: Deque<Entry>): Entry | undefined {
  while (line.at(0)?.settled === true) line.popFront()
  return line.at(0)
}

function unsettled(line: Deque<Entry>): Deque<Entry> {
  const left = [...line].filter((entry) => !entry.settled)
  if (left.length === line.length) return line
  const pruned = new Deque<Entry>()
  for (const entry of left) pruned.pushBack(entry)
  return pruned
}
