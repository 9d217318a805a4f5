import type { Clock, PoolDriver } from '@ha/core'
import type { MariadbConnection } from './driver/connection.ts'
import type { Reading } from './driver/reading.ts'
import type { ResolvedOptions } from './options/resolved.ts'

/** What the world gives to a client; a test gives other things. */
export interface MariadbParts {
  readonly clock: Clock
  readonly random: () => number
  readonly driver: (options: ResolvedOptions) => PoolDriver<MariadbConnection, Reading>
}
