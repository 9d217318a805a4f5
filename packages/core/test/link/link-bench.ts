import { EndpointRegistry, type EndpointSource } from '../../src/cluster/endpoint-registry.ts'
import type { Lease } from '../../src/lease.ts'
import { Link } from '../../src/link/link.ts'
import type { LinkOptions } from '../../src/link/link-options.ts'
import { FakeClock, seededRandom } from '../../src/testing/fake-clock.ts'
import { type FakeConnection, FakeDriver, FakeServer } from '../../src/testing/fake-driver.ts'

export interface LinkBench {
  readonly clock: FakeClock
  readonly servers: readonly FakeServer[]
  readonly driver: FakeDriver
  readonly options: LinkOptions<FakeConnection>
  readonly link: Link<FakeConnection>
  acquire(): Promise<Lease<FakeConnection>>
}

type Change = Partial<LinkOptions<FakeConnection>> & {
  readonly addresses?: EndpointSource
  readonly seed?: number
}

/** A link to three pretended servers n1, n2 and n3, in virtual time; dialled in that order unless told otherwise. */
export function linkBench({ addresses, seed = 1, ...change }: Change = {}): LinkBench {
  const clock = new FakeClock()
  const servers = ['n1', 'n2', 'n3'].map((host) => new FakeServer({ host, port: 1 }, clock))
  const driver = new FakeDriver(clock, servers)
  const options: LinkOptions<FakeConnection> = {
    name: 'test',
    driver,
    registry: new EndpointRegistry(clock, addresses ?? servers.map((server) => server.endpoint)),
    clock,
    random: seededRandom(seed),
    strategy: 'sequential',
    dial: { attemptMs: 3_000, staggerMs: 100, parallel: 2 },
    backoff: { baseMs: 50, maxMs: 10_000 },
    restoreBackoff: { baseMs: 50, maxMs: 1_000 },
    penaltyMs: 30_000,
    liveness: { probeAfterMs: 750, probeTimeoutMs: 1_000, quietMs: 10_000 },
    failBackAfterMs: Number.POSITIVE_INFINITY,
    beforeMove: () => Promise.resolve(),
    ...change,
  }
  const link = new Link(options)
  const acquire = (): Promise<Lease<FakeConnection>> => {
    const lease = link.acquire(new AbortController().signal)
    lease.catch(() => undefined)
    return lease
  }
  return { clock, servers, driver, options, link, acquire }
}
