/** One lane for each name: what is run in a lane waits for what was run there before. */
export class Lanes {
  readonly #tails = new Map<string, Promise<unknown>>()

  run<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.runAll([name], work)
  }

  /** Runs work that needs several lanes for itself. */
  runAll<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = Promise.all(names.map((name) => this.#tails.get(name)))
    const mine = before.then(work)
    // The next in the lane waits for the end, however it ends; the failure belongs to whoever asked for it.
    const ended = mine.catch(() => undefined)
    for (const name of names) this.#tails.set(name, ended)
    return mine
  }
}
