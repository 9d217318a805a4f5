import type { Entry } from './entry.ts'

// Below this the emptied front of the array is not worth moving the rest for.
const compactAfter = 1024

/** The messages of a queue that wait for a consumer, in order: what came back stands before what is new. */
export class Backlog {
  #returned: Entry[] = []
  #fresh: Entry[] = []
  // Where `#fresh` begins: shifting an array moves all of it.
  #start = 0

  get size(): number {
    return this.#returned.length + this.#fresh.length - this.#start
  }

  get head(): Entry | undefined {
    return this.#returned[0] ?? this.#fresh[this.#start]
  }

  /** Adds a message behind all others. */
  append(entry: Entry): void {
    this.#fresh.push(entry)
  }

  /** Puts a message back where it was. What comes back was taken from the front, so it stands before all that is new. */
  restore(entry: Entry): void {
    const behind = this.#returned.findIndex((other) => other.sequence > entry.sequence)
    this.#returned.splice(behind === -1 ? this.#returned.length : behind, 0, entry)
  }

  /** Puts a message back before all that is new, behind what came back earlier. */
  appendReturned(entry: Entry): void {
    this.#returned.push(entry)
  }

  take(): Entry | undefined {
    const returned = this.#returned.shift()
    if (returned !== undefined) return returned
    const entry = this.#fresh[this.#start]
    if (entry === undefined) return undefined
    this.#start += 1
    if (this.#start >= compactAfter && this.#start * 2 > this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#start)
      this.#start = 0
    }
    return entry
  }

  /** Removes everything and says how much it was. */
  clear(): number {
    const { size } = this
    this.#returned = []
    this.#fresh = []
    this.#start = 0
    return size
  }

  /** Keeps only the messages that `isKept` wants. */
  retain(isKept: (entry: Entry) => boolean): void {
    this.#returned = this.#returned.filter(isKept)
    this.#fresh = this.#fresh.slice(this.#start).filter(isKept)
    this.#start = 0
  }
}
