/** Something that is read again and again. */
export interface Readable {
  /** Never rejects but by a defect of ours. */
  read(signal: AbortSignal): Promise<void>
}

export interface ReadsParts {
  readonly maxReads: number
  /** Fires when nothing is to be read any more. */
  readonly signal: AbortSignal
  readonly onDefect: (thrown: unknown) => void
}

/** What is due to be read, first come, first served: so many at once, and only while operations run. */
export class Reads {
  readonly #parts: ReadsParts
  readonly #due = new Set<Readable>()
  #underWay = 0
  #open = false

  constructor(parts: ReadsParts) {
    this.#parts = parts
  }

  ask(readable: Readable): void {
    this.#due.add(readable)
    this.#begin()
  }

  withdraw(readable: Readable): void {
    this.#due.delete(readable)
  }

  /** Whether operations run. */
  set open(open: boolean) {
    this.#open = open
    this.#begin()
  }

  #begin(): void {
    const { maxReads, signal, onDefect } = this.#parts
    for (const readable of this.#due) {
      if (!this.#open || signal.aborted || this.#underWay >= maxReads) return
      this.#due.delete(readable)
      this.#underWay += 1
      readable
        .read(signal)
        .catch(onDefect)
        .finally(() => {
          this.#underWay -= 1
          this.#begin()
        })
    }
  }
}
