import {
  type Clock,
  type Endpoint,
  formatEndpoint,
  type HaError,
  type HostLoad,
  type Routing,
  type View,
} from '@ha/core'
import type { MariadbStatus } from '../driver/server-status.ts'
import { MariadbError } from '../errors.ts'
import { clusterInUse, readEligibility } from './eligibility.ts'
import {
  isBalanced,
  type RouteRequest,
  type RouteRules,
  type RouteTarget,
  route,
  routeTargets,
} from './route.ts'

/** The empty set of endpoints to avoid, for first attempts. */
export const noEndpoints: ReadonlySet<string> = new Set()

interface RouterDeps {
  readonly rules: RouteRules
  /** Milliseconds for which a server must be healthy again before it is preferred. */
  readonly afterMs: number
  readonly clock: Clock
  readonly random: () => number
}

type Load = (endpoint: Endpoint) => HostLoad

/**
 * Routes calls, using state beyond the current view: since when each server is eligible, and which one is the writer.
 * A route that depends on the view alone is computed once per view.
 */
export class Router {
  readonly #deps: RouterDeps
  readonly #history: EligibilityHistory
  readonly #balanced: ReadonlySet<RouteTarget>
  readonly #cache = new Map<RouteTarget, Routing>()
  #currentWriter: CurrentWriter = { kind: 'none' }
  #view: View<MariadbStatus> | undefined

  constructor(deps: RouterDeps) {
    this.#deps = deps
    this.#history = new EligibilityHistory(deps.rules, deps.afterMs)
    this.#balanced = new Set(routeTargets.filter((target) => isBalanced(deps.rules, { target })))
  }

  /** The route for a request at this moment. */
  route(request: RouteRequest, view: View<MariadbStatus>, load: Load): Routing {
    const nowMs = this.#deps.clock.now()
    if (view !== this.#view) {
      this.#view = view
      this.#cache.clear()
      this.#history.observe(view, nowMs)
    }
    if (request.allowOtherWriters || this.#balanced.has(request.target))
      return this.#route(request, view, load, nowMs)
    const made = this.#cache.get(request.target)
    if (made !== undefined && this.#history.isSettled(nowMs)) return made
    // One call that lost its connection does not move the writer; the view decides that a moment later.
    const routing = this.#route({ ...request, avoid: noEndpoints }, view, load, nowMs)
    const chosen = request.target === 'primary' ? this.#updateWriter(routing, view, nowMs) : routing
    if (chosen === routing) this.#cache.set(request.target, chosen)
    return chosen
  }

  /** Whether calls with this target go to a single server while it is healthy. */
  hasSingleServer(target: RouteTarget): boolean {
    return !this.#balanced.has(target)
  }

  /** Why a server, given as `host:port`, may not take writes; undefined when it may. */
  ineligibility(view: View<MariadbStatus>, name: string, load: Load): HaError | undefined {
    const members = view.members.filter(({ endpoint }) => formatEndpoint(endpoint) === name)
    const request = { target: 'primary', avoid: noEndpoints, allowOtherWriters: true } as const
    const routing = this.#route(request, { ...view, members }, load, this.#deps.clock.now())
    if (routing.kind !== 'none') return undefined
    // The sentence is about this server, not about all of them.
    const { code, attempts, retryable, cause } = routing.error
    const why = routing.error.message.replace(/^[^:]*: /, '')
    return new MariadbError(code as MariadbError['code'], `not used as the writer: ${why}`, {
      endpoint: name,
      attempts,
      retryable,
      cause,
    })
  }

  #updateWriter(routing: Routing, view: View<MariadbStatus>, nowMs: number): Routing {
    const isDown = (name: string): boolean =>
      view.members.every((member) => formatEndpoint(member.endpoint) !== name || member.health === 'down')
    this.#currentWriter = nextWriter(this.#currentWriter, routing, nowMs, isDown)
    return this.#currentWriter.kind === 'awaiting-return'
      ? { kind: 'none', error: this.#currentWriter.error }
      : routing
  }

  #route(request: RouteRequest, view: View<MariadbStatus>, load: Load, nowMs: number): Routing {
    const { rules, random } = this.#deps
    const currentWriter = this.#currentWriter.kind === 'none' ? undefined : this.#currentWriter.name
    const onProbation = (endpoint: Endpoint): boolean => this.#history.onProbation(endpoint, nowMs)
    return route(rules, request, { view, load, onProbation, random, currentWriter })
  }
}

/**
 * Tracks since when each server has been eligible by its own status. A server that responds all the time, but had
 * lost its quorum or was drained, must be healthy for a while before it is preferred again, like a server that was
 * down.
 */
class EligibilityHistory {
  readonly #rules: RouteRules
  readonly #afterMs: number
  readonly #states = new Map<string, EligibilityState>()
  #settledAtMs = Number.NEGATIVE_INFINITY

  constructor(rules: RouteRules, afterMs: number) {
    this.#rules = rules
    this.#afterMs = afterMs
  }

  /** Updates the history from a view. */
  observe(view: View<MariadbStatus>, nowMs: number): void {
    const cluster = this.#rules.galera === 'off' ? undefined : clusterInUse(view)
    for (const { endpoint, reading } of view.members) {
      if (reading === undefined) continue
      const fit = readEligibility(reading, this.#rules, cluster).kind !== 'ineligible'
      const name = formatEndpoint(endpoint)
      const state = nextState(this.#states.get(name), fit, nowMs)
      this.#states.set(name, state)
      if (state.kind === 'eligible-again') {
        this.#settledAtMs = Math.max(this.#settledAtMs, state.sinceMs + this.#afterMs)
      }
    }
  }

  /** Whether no server is on probation. Then a route depends on the view alone, not on the time. */
  isSettled(nowMs: number): boolean {
    return nowMs >= this.#settledAtMs
  }

  /** Whether a server became eligible again less than `afterMs` ago. */
  onProbation(endpoint: Endpoint, nowMs: number): boolean {
    const state = this.#states.get(formatEndpoint(endpoint))
    return state?.kind === 'eligible-again' && nowMs - state.sinceMs < this.#afterMs
  }
}

type EligibilityState =
  | { readonly kind: 'eligible' }
  | { readonly kind: 'ineligible' }
  | { readonly kind: 'eligible-again'; readonly sinceMs: number }

function nextState(before: EligibilityState | undefined, fit: boolean, nowMs: number): EligibilityState {
  if (!fit) return { kind: 'ineligible' }
  if (before?.kind === 'ineligible') return { kind: 'eligible-again', sinceMs: nowMs }
  return before ?? { kind: 'eligible' }
}

/** The writer of a client that uses one writer at a time. */
export type CurrentWriter =
  | { readonly kind: 'none' }
  | { readonly kind: 'serving'; readonly name: string }
  /** No server is usable; the previous writer is preferred when it returns. */
  | { readonly kind: 'unavailable'; readonly name: string; readonly error: HaError }
  /** Other servers are usable again; the previous writer is not yet. */
  | {
      readonly kind: 'awaiting-return'
      readonly name: string
      readonly error: HaError
      readonly sinceMs: number
    }

// Nodes that lost their quorum together regain it within a fraction of a second. A client that takes the first of
// them would write to another node than its peers, and move again a moment later.
const returnTimeoutMs = 500

/** Updates the current writer with a route. `isDown` tells whether waiting for a server is pointless. */
export function nextWriter(
  before: CurrentWriter,
  routing: Routing,
  nowMs: number,
  isDown: (name: string) => boolean,
): CurrentWriter {
  if (routing.kind === 'none') return withoutWriter(before, routing.error)
  const names = routing.endpoints.map(formatEndpoint)
  const first: CurrentWriter = { kind: 'serving', name: names[0] ?? '' }
  if (before.kind === 'none' || before.kind === 'serving') return first
  if (names.includes(before.name) || isDown(before.name)) return first
  const { name, error } = before
  const sinceMs = before.kind === 'awaiting-return' ? before.sinceMs : nowMs
  return nowMs - sinceMs < returnTimeoutMs ? { kind: 'awaiting-return', name, error, sinceMs } : first
}

function withoutWriter(before: CurrentWriter, error: HaError): CurrentWriter {
  return before.kind === 'none' ? before : { kind: 'unavailable', name: before.name, error }
}
