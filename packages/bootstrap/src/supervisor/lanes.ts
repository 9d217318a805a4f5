/** One lane for each name: what is run in a lane waits for what was run there before. */
export class KeyedQueue {
  readonly #lastByKey = new Map<string, Promise<unknown>>()

  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.runAll([name], work)
  }

  /** Runs work that needs several lanes for itself. */
  runAll<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = Promise.all(names.map((name) => this.#lastByKey.get(name)))
    const mine = before.then(work)
    // The next in the lane waits for the end, however it ends; the failure belongs to whoever asked for it.
    const ended = mine.catch(() => undefined)
    for (const name of names) this.#lastByKey.set(name, ended)
    return mine
  }
}
