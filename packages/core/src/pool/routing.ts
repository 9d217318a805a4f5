import type { Endpoint } from '../address/endpoint.ts'
import type { View } from '../cluster/cluster-view.ts'
import type { HaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'

/** How much is going on at one endpoint. */
export interface HostLoad {
  /** Connections that somebody has borrowed. */
  readonly inUse: number
  /** Acquires that stand in its queue. */
  readonly waiting: number
  /** How many more can be borrowed before somebody has to wait. */
  readonly free: number
}

/** Where an acquire may go. */
export type Routing =
  /**
   * These, in order. The first that can be had without trouble is taken. That one is exhausted moves nobody: a route
   * that wants to spill over looks at the load.
   */
  | { readonly kind: 'go'; readonly endpoints: readonly Endpoint[] }
  /** Nowhere: the acquire waits for the view to change, or rejects at once with this error when it is `final`. */
  | { readonly kind: 'none'; readonly error: HaError; readonly final?: boolean }

/** Chooses where to go: pure, asked for every acquire and again whenever the view changes. */
export type Route<R> = (view: View<R>, load: (endpoint: Endpoint) => HostLoad) => Routing

/** What a borrower wants of a pool. */
export interface AcquireRequest<C, R> {
  readonly route: Route<R>
  /** The lease that the caller holds already: so a nested acquire that could wait for ever is seen. */
  readonly within?: Lease<C> | undefined
  /**
   * How long an acquire may wait, in milliseconds; the caller's signal bounds it as well. Default: the signal alone.
   * When it has passed, the acquire rejects with the reason why it had to wait.
   */
  readonly acquireTimeoutMs?: number | undefined
}
