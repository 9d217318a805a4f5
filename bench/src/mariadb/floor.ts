import { setTimeout as sleep } from 'node:timers/promises'
import { wallMs } from '../harness/wall-clock.ts'
import { onConnection } from './cluster.ts'

export interface FloorProbe {
  /** Servers that can be written to, as `host:port`. */
  readonly writable: readonly string[]
  readonly table: string
}

/** Makes the table that the probe writes to. */
export async function createProbes(endpoint: string, table: string): Promise<void> {
  const sql = `CREATE TABLE ${table} (n BIGINT AUTO_INCREMENT PRIMARY KEY)`
  await onConnection(endpoint, (connection) => connection.query(sql))
}

const everyMs = 20

// While the survivors wait for each other, every attempt hangs and then succeeds: more of them would only fill
// `max_connections`.
const mostUnderway = 40

/**
 * What a client could at best come near: it detects nothing and restores nothing, it opens a fresh connection to a
 * survivor and inserts a row, again and again until the signal fires. Resolves with the instants of its successes; their
 * longest silence is the floor.
 */
export async function probeFloor(probe: FloorProbe, signal: AbortSignal): Promise<readonly number[]> {
  const successes: number[] = []
  const underway = new Set<Promise<void>>()
  for (let i = 0; !signal.aborted; i++) {
    if (underway.size < mostUnderway) {
      const attempt = insertOnce(probe.writable[i % probe.writable.length] ?? '', probe.table).then(
        () => void successes.push(wallMs()),
        () => undefined,
      )
      underway.add(attempt)
      void attempt.finally(() => underway.delete(attempt))
    }
    await sleep(everyMs)
  }
  await Promise.all(underway)
  return successes
}

function insertOnce(endpoint: string, table: string): Promise<unknown> {
  return onConnection(endpoint, (connection) => connection.query(`INSERT INTO ${table} () VALUES ()`))
}
