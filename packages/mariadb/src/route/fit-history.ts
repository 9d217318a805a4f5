import { type Endpoint, formatEndpoint, type View } from '@ha/core'
import type { Reading } from '../driver/reading.ts'
import { clusterInUse } from './cluster.ts'
import { fitToRead } from './fitness.ts'
import type { RouteRules } from './rules.ts'

/**
 * Remembers since when each server has been fit for use by its own words. A server that answers all the time, but had
 * lost its quorum or was drained, has to be well for a while before it is preferred again, as one that was down.
 */
export class FitHistory {
  readonly #rules: RouteRules
  readonly #afterMs: number
  readonly #standings = new Map<string, Standing>()
  #settledAtMs = Number.NEGATIVE_INFINITY

  constructor(rules: RouteRules, afterMs: number) {
    this.#rules = rules
    this.#afterMs = afterMs
  }

  /** Takes in what a view says. */
  see(view: View<Reading>, nowMs: number): void {
    const cluster = this.#rules.galera === 'off' ? undefined : clusterInUse(view)
    for (const { endpoint, reading } of view.members) {
      if (reading === undefined) continue
      const fit = fitToRead(reading, this.#rules, cluster).kind !== 'unfit'
      const name = formatEndpoint(endpoint)
      const standing = next(this.#standings.get(name), fit, nowMs)
      this.#standings.set(name, standing)
      if (standing.kind === 'fit-again') {
        this.#settledAtMs = Math.max(this.#settledAtMs, standing.sinceMs + this.#afterMs)
      }
    }
  }

  /** Whether no server is on probation: then a choice depends on the view alone, and not on the time. */
  settled(nowMs: number): boolean {
    return nowMs >= this.#settledAtMs
  }

  /** Whether a server is fit again, and not for long enough. */
  onProbation(endpoint: Endpoint, nowMs: number): boolean {
    const standing = this.#standings.get(formatEndpoint(endpoint))
    return standing?.kind === 'fit-again' && nowMs - standing.sinceMs < this.#afterMs
  }
}

type Standing =
  | { readonly kind: 'fit' }
  | { readonly kind: 'unfit' }
  | { readonly kind: 'fit-again'; readonly sinceMs: number }

function next(before: Standing | undefined, fit: boolean, nowMs: number): Standing {
  if (!fit) return { kind: 'unfit' }
  if (before?.kind === 'unfit') return { kind: 'fit-again', sinceMs: nowMs }
  return before ?? { kind: 'fit' }
}
