import { Deque } from './deque.ts'
import type { Entry } from './entry.ts'

/** What was sent on one channel and is not answered: delivery tags count from 1 in the order of sending. */
export class InFlight {
  readonly #entries = new Deque<Entry>()
  #lowTag = 1

  get length(): number {
    return this.#entries.length
  }

  /** Notes that an entry was handed to the driver. */
  add(entry: Entry): void {
    entry.attempts += 1
    entry.inFlight = true
    this.#entries.pushBack(entry)
  }

  /** The entries that an answer is about, in the order of sending; an answer that comes twice is about none. */
  answered(deliveryTag: number, multiple: boolean): readonly Entry[] {
    const first = multiple ? 0 : deliveryTag - this.#lowTag
    const answered: Entry[] = []
    for (let i = first; i <= deliveryTag - this.#lowTag; i++) {
      const entry = this.#entries.at(i)
      if (entry === undefined || !entry.inFlight) continue
      entry.inFlight = false
      answered.push(entry)
    }
    this.#trim()
    return answered
  }

  /** The entry that the broker gives back: the oldest unanswered one with that id that went the same way. */
  find({
    messageId,
    exchange,
    key,
  }: {
    messageId: unknown
    exchange: string
    key: string
  }): Entry | undefined {
    for (const entry of this.#entries) {
      const isSame = entry.messageId === messageId && entry.exchange === exchange && entry.key === key
      if (isSame && entry.inFlight && entry.returned === undefined) return entry
    }
    return undefined
  }

  /** Takes everything unanswered, in the order of sending. */
  takeAll(): readonly Entry[] {
    const unanswered = this.#entries.drain().filter((entry) => entry.inFlight)
    for (const entry of unanswered) entry.inFlight = false
    return unanswered
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.#entries[Symbol.iterator]()
  }

  #trim(): void {
    while (this.#entries.at(0)?.inFlight === false) {
      this.#entries.popFront()
      this.#lowTag += 1
    }
  }
}
