import type { Instance } from './instance.ts'
import {
  afterOutcome,
  afterPick,
  leftOutUntilMs,
  type ShunRules,
  type Standing,
  trusted,
} from './standing.ts'

/**
 * What became of a call, or that one has begun: `begun` is for `least-busy`, and each of them ends with `ok` or `error`.
 */
export type CallReport = 'begun' | 'ok' | 'error'

/** What this client remembers of its calls to the instances of a service; of one that was started anew, nothing. */
export class Reputation {
  readonly #rules: ShunRules
  // Who is not in here is trusted, and nothing counts against him: most of the time it is empty.
  readonly #standings = new Map<string, Standing>()
  readonly #inFlight = new Map<string, number>()

  constructor(rules: ShunRules) {
    this.#rules = rules
  }

  /** Forgets all but these. */
  keep(instances: readonly Instance[]): void {
    const starts = new Set(instances.map(startOf))
    for (const kept of [this.#standings, this.#inFlight]) {
      for (const start of kept.keys()) if (!starts.has(start)) kept.delete(start)
    }
  }

  /** Takes in what became of a call. */
  report(instance: Instance, report: CallReport, nowMs: number): void {
    if (report === 'begun') {
      this.#inFlight.set(startOf(instance), this.inFlight(instance) + 1)
      return
    }
    this.#inFlight.set(startOf(instance), Math.max(0, this.inFlight(instance) - 1))
    this.#become(instance, (standing) => afterOutcome(standing, report, nowMs, this.#rules))
  }

  /** It was chosen for a call. */
  picked(instance: Instance, nowMs: number): void {
    if (this.#standings.size > 0)
      this.#become(instance, (standing) => afterPick(standing, nowMs, this.#rules))
  }

  /** Until when it is left out; undefined when it may be picked. */
  leftOutUntilMs(instance: Instance, nowMs: number): number | undefined {
    if (this.#standings.size === 0) return undefined
    return leftOutUntilMs(this.#standings.get(startOf(instance)) ?? trusted, nowMs)
  }

  /** How many calls to it have begun and not ended. */
  inFlight(instance: Instance): number {
    return this.#inFlight.get(startOf(instance)) ?? 0
  }

  #become(instance: Instance, next: (standing: Standing) => Standing): void {
    const start = startOf(instance)
    const standing = next(this.#standings.get(start) ?? trusted)
    if (standing === trusted) this.#standings.delete(start)
    else this.#standings.set(start, standing)
  }
}

// The same id with another time of registration is another process.
function startOf({ id, registeredAtMs }: Instance): string {
  return `${registeredAtMs} ${id}`
}
