import { until } from '@ha/core/testing'
import {
  type FakeCluster,
  type FakeGaleraOptions,
  type FakeReplicationOptions,
  startFakeGalera,
  startFakeReplication,
} from '@ha/testing/mariadb'
import { onTestFinished } from 'vitest'
import { createMariadb, type Mariadb, type MariadbEvents, type MariadbOptions } from '../../src/index.ts'

/**
 * A client of a fake cluster. Both are closed at the end of the test, and the client must leave no connection open.
 */
export interface Harness {
  readonly cluster: FakeCluster
  readonly db: Mariadb
  /** All events of the client, in order. */
  readonly events: readonly RecordedEvent[]
}

export interface RecordedEvent {
  readonly name: keyof MariadbEvents
  readonly event: Readonly<Record<string, unknown>>
}

const eventNames: readonly (keyof MariadbEvents)[] = [
  'host',
  'failover',
  'failback',
  'quorumLost',
  'quorumRestored',
  'splitCluster',
  'exhausted',
  'leak',
  'nested',
  'outcomeUnknown',
  'outcomeResolved',
  'warning',
]

/** Short intervals, so that tests are fast. */
const quick = { intervalMs: 100, timeoutMs: 200 }

/** A client of three Galera nodes whose writer is the first, and a table `t` of keys and numbers. */
export async function galeraHarness(
  options: Partial<MariadbOptions> = {},
  clusterOptions: FakeGaleraOptions = {},
): Promise<Harness> {
  return harnessOf(await startFakeGalera(clusterOptions), options)
}

/** A client of a primary and two replicas, and a table `t` of keys and numbers. */
export async function replicationHarness(
  options: Partial<MariadbOptions> = {},
  clusterOptions: FakeReplicationOptions = {},
): Promise<Harness> {
  return harnessOf(await startFakeReplication(clusterOptions), { mode: 'replication', ...options })
}

/** A client of a cluster, and its events. */
export function clientOf(
  cluster: FakeCluster,
  options: Partial<MariadbOptions> = {},
): Omit<Harness, 'cluster'> {
  const db = createMariadb({
    hosts: cluster.addresses,
    database: 'test',
    timeoutMs: 5_000,
    failBack: { afterMs: Number.POSITIVE_INFINITY },
    ...options,
    monitor: { ...quick, ...options.monitor },
  } as MariadbOptions)
  const events: RecordedEvent[] = []
  for (const name of eventNames)
    db.events.on(name, (event) => void events.push({ name, event: { ...event } }))
  onTestFinished(async () => {
    await db.close({ timeoutMs: 500 })
  })
  return { db, events }
}

async function harnessOf(cluster: FakeCluster, options: Partial<MariadbOptions>): Promise<Harness> {
  onTestFinished(async () => {
    for (const node of cluster.nodes) node.resume()
    await until('nothing is open any more', () => cluster.connections === 0)
    await cluster.close()
  })
  await cluster.query('CREATE TABLE t (k VARCHAR(80) PRIMARY KEY, v INT NOT NULL)')
  return { cluster, ...clientOf(cluster, options) }
}

/** The rows of the table. */
export async function rowsOf(cluster: FakeCluster): Promise<Readonly<Record<string, unknown>>> {
  const rows = await cluster.query('SELECT k, v FROM t ORDER BY k')
  return Object.fromEntries(rows.map(({ k, v }) => [String(k), v]))
}

/** The number of events with this name. */
export function countOf(events: readonly RecordedEvent[], name: keyof MariadbEvents): number {
  return events.filter((each) => each.name === name).length
}
