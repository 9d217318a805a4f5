/** One lane for each name: what is run in a lane waits for what was run there before. */
export class Lanes {
  readonly #tails = new Map<string, Promise<unknown>>()

  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(name) ?? Promise.resolve()
    const mine = before.then(work)
    // The next in the lane waits for the end, however it ends; the failure belongs to whoever asked for it.
    this.#tails.set(
      name,
      mine.catch(() => undefined),
    )
    return mine
  }
}
