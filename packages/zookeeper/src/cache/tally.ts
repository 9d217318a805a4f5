/** How many facets of a cache wait for an answer, and how many of these have failed. */
export class Tally {
  #unread = 0
  #failing = 0
  readonly #onMoved: () => void

  /** `onMoved` is called after each change. */
  constructor(onMoved: () => void) {
    this.#onMoved = onMoved
  }

  get unread(): number {
    return this.#unread
  }

  get failing(): number {
    return this.#failing
  }

  /** One facet counts for something else from now on. */
  move(from: Weight, to: Weight): void {
    this.#unread += to.unread - from.unread
    this.#failing += to.failing - from.failing
    this.#onMoved()
  }
}

/** What one facet counts for. */
export interface Weight {
  readonly unread: 0 | 1
  readonly failing: 0 | 1
}
