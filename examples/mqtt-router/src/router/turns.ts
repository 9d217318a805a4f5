/** Lets those who want the same thing have it one after the other, in the order in which they came. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  take<T>(thing: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(thing) ?? Promise.resolve()
    const turn = before.then(act)
    // Whoever comes next waits for the end of this turn, however it ends.
    const over: Promise<void> = turn.then(
      () => this.#forget(thing, over),
      () => this.#forget(thing, over),
    )
    this.#last.set(thing, over)
    return turn
  }

  #forget(thing: string, over: Promise<unknown>): void {
    if (this.#last.get(thing) === over) this.#last.delete(thing)
  }
}
