import type { EndpointSource } from '../cluster/endpoint-registry.ts'
import type { PoolDriver } from '../driver.ts'
import type { FullJitter } from '../policy/backoff.ts'
import type { Clock } from '../util/clock.ts'

/** Everything a pool needs to know, resolved: no optionals inside. All times in milliseconds. */
export interface PoolOptions<C, R> {
  /** Its name in health, events and diagnostics, such as `orders`. */
  readonly name: string
  readonly driver: PoolDriver<C, R>
  readonly endpoints: EndpointSource
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  readonly size: PoolSize
  readonly connect: ConnectOptions
  readonly idle: IdleOptions
  readonly monitor: MonitorOptions
  /** A lease held for longer is reported as a leak, with the stack of its borrow. `Infinity` turns that off. */
  readonly leakAfterMs: number
}

/** How many. */
export interface PoolSize {
  /** The most connections to one endpoint; the monitor's own comes on top. */
  readonly max: number
  /** How many connections are kept at each usable endpoint, whether or not anybody needs them. */
  readonly min: number
  /** How many acquires may wait at one endpoint while all are in use; one more rejects with `exhausted`. */
  readonly maxWaiting: number
}

/** How connections are made. */
export interface ConnectOptions {
  /** How long one endpoint has for the whole handshake. */
  readonly timeoutMs: number
  /** How many handshakes may be under way at one endpoint. */
  readonly parallel: number
  /** The pauses of an endpoint that answers but takes no connection. */
  readonly backoff: FullJitter
}

/** What happens to a connection that nobody has borrowed. */
export interface IdleOptions {
  /** Idle for longer, it is probed before it is lent. */
  readonly validateAfterMs: number
  /** How long that probe, or a renewal, may take. */
  readonly validateTimeoutMs: number
  /** Idle for so long, it is probed in the background. `Infinity` never does. */
  readonly keepaliveMs: number
  /** Idle for so long, it is ended while there are more than `size.min`. `Infinity` never does. */
  readonly timeoutMs: number
  /** So old, it is ended as soon as nobody has it, up to 2.5 % earlier. `Infinity` never does. */
  readonly maxLifetimeMs: number
}

/** How the health of an endpoint is known. */
export interface MonitorOptions {
  /** From one reading to the next. */
  readonly intervalMs: number
  /** How long a reading may go without any sign of life before it counts as a miss. */
  readonly timeoutMs: number
  /** So many misses in a row and the endpoint is down. */
  readonly downAfter: number
  /** For so long an endpoint that was down must be healthy before it is `up`; until then it is in `probation`. */
  readonly probationMs: number
  /** A borrowed connection that hears nothing for so long makes the monitor look at once. */
  readonly slowQueryMs: number
  /** While an endpoint is down, it rests for this long, and up to a quarter more, between two dials. */
  readonly retryMs: number
}
