import { FakeClock, settle } from '@ha/core/testing'
import { type FakeCluster, startFakeGalera } from '@ha/testing/mariadb'
import { Mariadb } from '../../src/client.ts'
import { mariadbDriver } from '../../src/driver/driver.ts'
import { type MariadbOptions, resolveMariadbOptions } from '../../src/options/options.ts'
import { memorySocket } from './memory-network.ts'

/** Clients of a fake Galera cluster without ports, on a fake clock. */
export interface MemoryHarness {
  readonly cluster: FakeCluster
  readonly clock: FakeClock
  /** Creates another client of the same cluster. */
  readonly client: (options?: Partial<MariadbOptions>) => Mariadb
}

/** Three nodes, and a table `t` of keys and numbers. */
export async function memoryHarness(): Promise<MemoryHarness> {
  const clock = new FakeClock()
  const cluster = await startFakeGalera({ listens: false, clock })
  await cluster.query('CREATE TABLE t (k VARCHAR(80) PRIMARY KEY, v INT NOT NULL)')
  return { cluster, clock, client: (options) => clientOf(cluster, clock, options) }
}

/** Advances the clock, by a millisecond at first and later in longer steps, until the promise has settled. */
export async function inTime<T>(clock: FakeClock, promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  let settled = false
  const watched = Promise.allSettled([promise]).finally(() => {
    settled = true
  })
  await settle()
  for (let stepMs = 1; !settled; stepMs = Math.min(stepMs * 1.2, 50)) await clock.advance(stepMs)
  const [result] = await watched
  return result
}

function clientOf(cluster: FakeCluster, clock: FakeClock, options: Partial<MariadbOptions> = {}): Mariadb {
  const resolved = resolveMariadbOptions({
    hosts: cluster.addresses,
    database: 'test',
    failBack: { afterMs: 1_000 },
    ...options,
  } as MariadbOptions)
  const connect = memorySocket((endpoint) => cluster.dial(endpoint))
  return new Mariadb(resolved, {
    clock,
    random: () => 0,
    driver: (driverOptions) => mariadbDriver(driverOptions, connect),
  })
}
