import type { PoolOptions } from '@ha/core'
import type { MariadbConnection } from './driver/connection.ts'
import type { Reading } from './driver/reading.ts'
import type { ResolvedOptions } from './options/resolved.ts'
import type { MariadbParts } from './parts.ts'

/** What the pool of a client is made with. */
export function poolOptionsOf(
  options: ResolvedOptions,
  { clock, random, driver }: MariadbParts,
): PoolOptions<MariadbConnection, Reading> {
  const { pool, monitor, failBack } = options
  return {
    name: options.name,
    driver: driver(options),
    endpoints: options.hosts.map(({ endpoint }) => endpoint),
    clock,
    random,
    size: { max: pool.maximumSize, min: pool.minimumIdle, maxWaiting: pool.maxWaiting },
    connect: { timeoutMs: pool.connectTimeoutMs, parallel: pool.parallelConnects, backoff: afterRefusal },
    idle: {
      validateAfterMs,
      validateTimeoutMs: Math.min(pool.validationTimeoutMs, mostValidationMs),
      keepaliveMs: pool.keepaliveMs,
      timeoutMs: pool.idleTimeoutMs,
      maxLifetimeMs: pool.maxLifetimeMs,
    },
    monitor: { ...monitor, probationMs: failBack.afterMs, retryMs },
    leakAfterMs: pool.leakDetectionMs === 0 ? Number.POSITIVE_INFINITY : pool.leakDetectionMs,
  }
}

// HikariCP's bypass window: a connection that answered half a second ago is lent as it is.
const validateAfterMs = 500

// Whoever waits for a connection waits for its proof as well; a server that needs longer is for the monitor to judge.
const mostValidationMs = 1_000

const afterRefusal = { baseMs: 100, maxMs: 2_000 }

// While a server is down it is dialled once in a second, half of it at random.
const retryMs = 1_000
