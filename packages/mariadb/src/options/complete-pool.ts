import type { CheckedPool } from './option-table.ts'
import type { PoolOptions } from './resolved.ts'
import { misspelt } from './spelling.ts'

/** The two numbers of a pool that depend on its others. `standby` is how many idle connections are kept by default. */
export function completePool(pool: CheckedPool, standby: number, path: string): PoolOptions {
  const { maximumSize, acquireTimeoutMs } = pool
  const minimumIdle = pool.minimumIdle ?? Math.min(standby, maximumSize)
  if (minimumIdle > maximumSize) {
    throw misspelt(`${path}.minimumIdle`, `expected at most maximumSize, which is ${maximumSize}`)
  }
  if (pool.validationTimeoutMs !== undefined && pool.validationTimeoutMs >= acquireTimeoutMs) {
    throw misspelt(
      `${path}.validationTimeoutMs`,
      `expected less than acquireTimeoutMs, which is ${acquireTimeoutMs} (Hikari's connection-timeout)`,
    )
  }
  return Object.freeze({ ...pool, minimumIdle, validationTimeoutMs: pool.validationTimeoutMs ?? 5_000 })
}
