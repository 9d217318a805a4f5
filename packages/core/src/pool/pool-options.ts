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
  /** A lease held for longer is reported as a leak, with the call stack of its acquire. `Infinity` turns that off. */
  readonly leakAfterMs: number
}

/** The numbers of connections and waiting acquires, for each endpoint. */
export interface PoolSize {
  /** The maximum number of connections to one endpoint, without the monitor's own. */
  readonly max: number
  /** The number of connections that are kept open to each usable endpoint, in use or idle. */
  readonly min: number
  /** How many acquires may wait at one endpoint while all are in use; one more rejects with `exhausted`. */
  readonly maxWaiting: number
}

/** How connections are opened. */
export interface ConnectOptions {
  /** The deadline of one handshake. */
  readonly timeoutMs: number
  /** The maximum number of concurrent handshakes with one endpoint. */
  readonly parallel: number
  /** The pauses between dials to an endpoint that is alive but accepts no connection. */
  readonly backoff: FullJitter
}

/** How idle connections are kept. */
export interface IdleOptions {
  /** A connection that was idle for longer is probed before it is checked out. */
  readonly validateAfterMs: number
  /** The deadline of that probe, and of a reset. */
  readonly validateTimeoutMs: number
  /** Idle time after which a connection is probed in the background. `Infinity`: never. */
  readonly keepaliveMs: number
  /** Idle time after which a connection is closed while there are more than `size.min`. `Infinity`: never. */
  readonly timeoutMs: number
  /** Maximum connection age. Older connections are closed when idle; up to 2.5 % jitter is subtracted. `Infinity`: never. */
  readonly maxLifetimeMs: number
}

/** How the health of an endpoint is monitored. */
export interface MonitorOptions {
  /** The interval between two reads. */
  readonly intervalMs: number
  /** How long a read may wait without any answer of the server before it counts as a miss. */
  readonly timeoutMs: number
  /** The number of consecutive misses after which an endpoint is `down`. */
  readonly downAfter: number
  /** How long an endpoint that was down must be healthy before it is `up`; until then it is in `probation`. */
  readonly probationMs: number
  /** A connection in use that receives nothing for this long makes the monitor check at once. */
  readonly slowQueryMs: number
  /** The pause between two dials to an endpoint that is down; up to a quarter of jitter is added. */
  readonly retryMs: number
}
