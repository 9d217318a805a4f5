import { type FloorPace, successesOf } from '../harness/floor-probe.ts'
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

// While the survivors wait for each other, every attempt hangs and then succeeds: more of them would only fill
// `max_connections`.
const pace: FloorPace = { everyMs: 20, mostUnderway: 40 }

/**
 * What a client could at best come near: it detects nothing and restores nothing, it opens a fresh connection to a
 * survivor and inserts a row, again and again until the signal fires. Resolves with the instants of its successes; their
 * longest silence is the floor.
 */
export function probeFloor(probe: FloorProbe, signal: AbortSignal): Promise<readonly number[]> {
  const attempt = (i: number): Promise<unknown> =>
    insertOnce(probe.writable[i % probe.writable.length] ?? '', probe.table)
  return successesOf(attempt, pace, signal)
}

function insertOnce(endpoint: string, table: string): Promise<unknown> {
  return onConnection(endpoint, (connection) => connection.query(`INSERT INTO ${table} () VALUES ()`))
}
