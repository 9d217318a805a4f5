import type { HostHealth, PoolHealth } from '@ha/core'
import type { Reading } from './driver/reading.ts'
import type { WriterChange } from './events.ts'
import type { Mode } from './options/resolved.ts'

/** What a client believes and does, as plain data without any secret. */
export interface MariadbHealth {
  /** `ready` while there is a server to write to; `idle` before the first call. */
  readonly state: 'idle' | 'ready' | 'waiting' | 'draining' | 'closed'
  readonly mode: Mode
  /** The server that takes the writes at this moment, as `host:port`. */
  readonly writer: string | undefined
  /** Why there is none. */
  readonly reason: string | undefined
  readonly hosts: readonly HostHealth<Reading>[]
  readonly lastFailover: Omit<WriterChange, 'error'> | undefined
}

/** Puts a pool's health and the writer together. */
export function healthOf(
  pool: PoolHealth<Reading>,
  rest: Pick<MariadbHealth, 'mode' | 'writer' | 'reason' | 'lastFailover'>,
): MariadbHealth {
  const state = pool.state !== 'open' ? pool.state : rest.writer === undefined ? 'waiting' : 'ready'
  return { state, hosts: pool.hosts, ...rest }
}
