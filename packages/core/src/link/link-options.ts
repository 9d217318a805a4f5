import type { EndpointRegistry } from '../cluster/endpoint-registry.ts'
import type { Driver } from '../driver.ts'
import type { Lease } from '../lease.ts'
import type { FullJitter } from '../policy/backoff.ts'
import type { Strategy } from '../policy/select.ts'
import type { Clock } from '../util/clock.ts'
import type { DialOptions } from './dialer.ts'
import type { Liveness } from './liveness.ts'

/** Everything a link needs to know, resolved: no optionals inside. */
export interface LinkOptions<C> {
  /** Its name in health, events and diagnostics, such as `publish`. */
  readonly name: string
  readonly driver: Driver<C>
  /** What is known of the cluster; several links may share one registry. */
  readonly registry: EndpointRegistry
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  readonly strategy: Strategy
  readonly dial: DialOptions
  /** The delays between rounds in which every endpoint failed. */
  readonly backoff: FullJitter
  /** The delays before a declaration that failed is tried again. */
  readonly restoreBackoff: FullJitter
  /** How long a failed endpoint is tried after the others, in milliseconds. */
  readonly penaltyMs: number
  readonly liveness: Liveness
  /** With `sequential`: the interval at which endpoints before the current one are dialled. `Infinity` never fails back. */
  readonly failBackAfterMs: number
  /** Finishes what is under way on a lease before a planned move. Must bound its own time. */
  readonly beforeMove: (lease: Lease<C>) => Promise<void>
}
