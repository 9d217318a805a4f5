// A nack means either that a queue has no leader for the moment or that it wants no more (`reject-publish`). An
// election is over after a second or two, and a failed one is held again after five. It stays below `confirmStallMs`:
// no node is left because a queue is full.
const electionMs = 7_000

// Routes come from the application and may be made up for each message.
const mostRoutes = 1_000

interface Target {
  readonly exchange: string
  readonly key: string
}

/** Routes whose messages the broker nacks, and since when: an election passes, a full queue does not. */
export class RefusedRoutes {
  readonly #sinceMs = new Map<string, number>()

  /** Notes a nack; true when the route has been refused for longer than an election takes. */
  refuse(target: Target, nowMs: number): boolean {
    const route = routeOf(target)
    const sinceMs = this.#sinceMs.get(route)
    if (sinceMs !== undefined) return nowMs - sinceMs >= electionMs
    const [oldest] = this.#sinceMs.keys()
    if (this.#sinceMs.size >= mostRoutes && oldest !== undefined) this.#sinceMs.delete(oldest)
    this.#sinceMs.set(route, nowMs)
    return false
  }

  /** Notes that the broker took a message. */
  take(target: Target): void {
    if (this.#sinceMs.size > 0) this.#sinceMs.delete(routeOf(target))
  }
}

function routeOf({ exchange, key }: Target): string {
  return `${exchange}\0${key}`
}
