import { type Counters, counted, noCounts } from './counters.ts'
import type { ProxyEvent } from './event.ts'

/** A {@link ProxyEvent} and when it happened, by the proxy's clock. */
export type TimelineEntry = ProxyEvent & { readonly atMs: number }

// About ten entries a connection: a long soak must not fill the memory with history.
const mostEntries = 100_000

/** The history of a proxy, oldest first; the oldest entries give way when there are very many. */
export class Timeline {
  readonly #entries: TimelineEntry[] = []
  #counters: Counters = noCounts

  get entries(): readonly TimelineEntry[] {
    return this.#entries
  }

  get counters(): Counters {
    return this.#counters
  }

  record(atMs: number, event: ProxyEvent): void {
    if (this.#entries.length === mostEntries) this.#entries.shift()
    this.#entries.push({ ...event, atMs })
    this.#counters = counted(this.#counters, event)
  }
}
