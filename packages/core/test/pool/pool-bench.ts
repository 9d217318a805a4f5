import type { EndpointSource } from '../../src/cluster/endpoint-registry.ts'
import { HaError } from '../../src/errors/ha-error.ts'
import type { Lease, Source } from '../../src/lease.ts'
import { Pool } from '../../src/pool/pool.ts'
import type { PoolOptions } from '../../src/pool/pool-options.ts'
import type { AcquireRequest, Route } from '../../src/pool/routing.ts'
import { FakeClock, seededRandom } from '../../src/testing/fake-clock.ts'
import { type FakeConnection, FakeDriver, FakeServer } from '../../src/testing/fake-driver.ts'

type Options = PoolOptions<FakeConnection, string>

export interface PoolBench {
  readonly clock: FakeClock
  readonly servers: readonly FakeServer[]
  readonly driver: FakeDriver
  readonly options: Options
  readonly pool: Pool<FakeConnection, string>
  readonly source: Source<FakeConnection>
  /** Acquires without a deadline, or with one. */
  acquire(want?: Partial<AcquireRequest<FakeConnection, string>>): Promise<Lease<FakeConnection>>
  /** The connections that a server holds beside the monitor's. */
  pooled(server: FakeServer): readonly FakeConnection[]
}

type Change = {
  readonly [K in keyof Options]?: Options[K] extends object ? Partial<Options[K]> : Options[K]
} & {
  readonly seed?: number
  readonly nodes?: number
  readonly endpoints?: EndpointSource
  readonly route?: Route<string>
}

/** The first endpoint that is not down, then the others. */
export const inOrder: Route<string> = (view) => {
  const up = view.members.filter(({ health }) => health !== 'down' && health !== 'unknown')
  if (up.length > 0) return { kind: 'go', endpoints: up.map(({ endpoint }) => endpoint) }
  return { kind: 'none', error: new HaError('unreachable', 'no endpoint is up', { retryable: true }) }
}

/** A pool over pretended servers n1, n2, n3 in virtual time, as the servers are listed unless told otherwise. */
export function poolBench(change: Change = {}): PoolBench {
  const clock = new FakeClock()
  const hosts = Array.from({ length: change.nodes ?? 3 }, (_, i) => `n${i + 1}`)
  const servers = hosts.map((host) => new FakeServer({ host, port: 1 }, clock))
  const driver = new FakeDriver(clock, servers)
  const options: Options = {
    name: 'test',
    driver,
    endpoints: change.endpoints ?? servers.map((server) => server.endpoint),
    clock,
    random: seededRandom(change.seed ?? 1),
    size: { max: 3, min: 0, maxWaiting: 100, ...change.size },
    connect: { timeoutMs: 3_000, parallel: 2, backoff: { baseMs: 100, maxMs: 1_000 }, ...change.connect },
    idle: {
      validateAfterMs: 500,
      validateTimeoutMs: 250,
      keepaliveMs: 30_000,
      timeoutMs: 60_000,
      maxLifetimeMs: 1_800_000,
      ...change.idle,
    },
    monitor: {
      intervalMs: 1_000,
      timeoutMs: 500,
      downAfter: 2,
      probationMs: 2_000,
      slowQueryMs: 250,
      retryMs: 1_000,
      ...change.monitor,
    },
    leakAfterMs: change.leakAfterMs ?? Number.POSITIVE_INFINITY,
  }
  const pool = new Pool(options)
  const route = change.route ?? inOrder
  const source = pool.source({ route })
  const acquire: PoolBench['acquire'] = (want) => {
    const lease = pool.source({ route, ...want }).acquire(new AbortController().signal)
    lease.catch(() => undefined)
    return lease
  }
  const pooled: PoolBench['pooled'] = (server) => [...server.connections].slice(1)
  return { clock, servers, driver, options, pool, source, acquire, pooled }
}

/** The health of each endpoint, in the order of the list. */
export function healths({ pool }: Pick<PoolBench, 'pool'>): readonly string[] {
  return pool.view.members.map(({ health }) => health)
}
