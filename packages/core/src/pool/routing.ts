import type { Endpoint } from '../address/endpoint.ts'
import type { View } from '../cluster/cluster-view.ts'
import type { HaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'

/** The load of one endpoint. */
export interface HostLoad {
  /** Connections that are checked out. */
  readonly inUse: number
  /** Acquires in its queue. */
  readonly waiting: number
  /** How many more connections can be checked out before an acquire has to wait. */
  readonly free: number
}

/** Where an acquire may go. */
export type Routing =
  /**
   * To one of these, in order of preference: to the first without a known problem. An exhausted endpoint is no problem
   * in this sense: a route that should spill over looks at the load.
   */
  | { readonly kind: 'go'; readonly endpoints: readonly Endpoint[] }
  /** Nowhere: the acquire waits for the view to change, or rejects at once with this error when it is `final`. */
  | { readonly kind: 'none'; readonly error: HaError; readonly final?: boolean }

/** Chooses the endpoints of an acquire. Pure; called for every acquire, and again whenever the view changes. */
export type Route<R> = (view: View<R>, load: (endpoint: Endpoint) => HostLoad) => Routing

/** What an acquire asks for. */
export interface AcquireRequest<C, R> {
  readonly route: Route<R>
  /** The lease that the caller holds already: lets the pool detect a nested acquire that would deadlock. */
  readonly within?: Lease<C> | undefined
  /**
   * How long an acquire may wait, in milliseconds; the caller's signal bounds it as well. Default: the signal alone.
   * After it the acquire rejects with the reason why it had to wait.
   */
  readonly acquireTimeoutMs?: number | undefined
}
