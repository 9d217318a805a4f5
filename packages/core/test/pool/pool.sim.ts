import { describe, expect, it } from 'vitest'
import { HaError } from '../../src/errors/ha-error.ts'
import type { Lease, Source } from '../../src/lease.ts'
import { type SelectionOrder, select } from '../../src/policy/select.ts'
import type { Route } from '../../src/pool/routing.ts'
import { seededRandom, simulationSeeds } from '../../src/testing/fake-clock.ts'
import { type FakeConnection, FakeError, type FakeMode } from '../../src/testing/fake-driver.ts'
import { microtasks } from '../link/microtasks.ts'
import { type PoolBench, poolBench } from './pool-bench.ts'

const seeds = simulationSeeds(80)

const max = 3
const parallel = 2

describe('a pool under random faults at random instants', () => {
  it(`keeps its invariants in ${seeds.length} runs`, { timeout: 300_000 }, async () => {
    for (const seed of seeds) {
      try {
        await simulate(seed)
      } catch (error) {
        throw new Error(`seed ${seed} failed; HA_SEED=${seed} replays it`, { cause: error })
      }
    }
  })
})

interface World extends PoolBench {
  readonly random: () => number
  readonly route: Route<string>
  /** What is borrowed and not given back. */
  readonly leases: Set<Lease<FakeConnection>>
  readonly pastDeadline: Set<number>
  acquires: number
}

async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const bench = poolBench({
    seed,
    size: { max, min: Math.floor(random() * 3), maxWaiting: 5 },
    connect: { parallel },
    idle: {
      keepaliveMs: random() * 10_000,
      timeoutMs: random() * 10_000,
      maxLifetimeMs: random() < 0.5 ? random() * 10_000 : Number.POSITIVE_INFINITY,
    },
    monitor: { probationMs: random() < 0.5 ? 0 : 3_000 },
    leakAfterMs: random() < 0.5 ? 2_000 : Number.POSITIVE_INFINITY,
  })
  const route = anyRoute(bench, random)
  const world: World = { ...bench, random, route, leases: new Set(), pastDeadline: new Set(), acquires: 0 }
  for (let step = 0; step < 30; step++) {
    for (let i = 0; i < 3; i++) borrow(world)
    pick(random, faults)(world)
    await world.clock.advance(Math.floor(random() * random() * 1_500))
    invariants(world)
  }
  await closeSomewhere(world)
  expect(open(world)).toEqual([])
  // A wait's own deadline is the test's timer, not the pool's.
  for (const server of world.servers) server.kill()
  await world.clock.advance(5_000)
  expect(world.pastDeadline).toEqual(new Set())
  expect(open(world)).toEqual([])
  expect(world.clock.pending).toBe(0)
}

function anyRoute({ clock }: PoolBench, random: () => number): Route<string> {
  const strategy = pick(random, ['sequential', 'least-connections', 'sticky'] as const)
  const penaltyMs = 500
  return (view, load) => {
    const members = view.members.filter(({ health }) => health !== 'down')
    if (members.length === 0) return { kind: 'none', error: new HaError('unreachable', 'all are down') }
    const order: SelectionOrder =
      strategy === 'sequential'
        ? { strategy, selections: 0 }
        : strategy === 'sticky'
          ? { strategy, last: members.at(-1)?.endpoint }
          : { strategy, load: (endpoint) => load(endpoint).inUse }
    return { kind: 'go', endpoints: select({ members }, { ...order, nowMs: clock.now(), penaltyMs, random }) }
  }
}

// Every acquire settles by its deadline, whatever happens; what it got is used in one way or another.
function borrow(world: World): void {
  const { clock, pool, route, random, leases, pastDeadline } = world
  const id = world.acquires++
  const controller = new AbortController()
  const within = random() < 0.2 ? [...leases][0] : undefined
  const acquireTimeoutMs = random() < 0.3 ? random() * 1_000 : undefined
  const source = pool.source({ route, within, acquireTimeoutMs })
  const timeoutMs = random() * 3_000
  const cancels = [
    clock.after(timeoutMs, () => controller.abort(new Error('deadline'))),
    clock.after(Math.min(timeoutMs, acquireTimeoutMs ?? timeoutMs), () => pastDeadline.add(id)),
  ]
  const settled = (): void => {
    for (const cancel of cancels) cancel()
    pastDeadline.delete(id)
  }
  source.acquire(controller.signal).then((lease) => {
    settled()
    leases.add(lease)
    expect(lease.signal.aborted).toBe(!lease.connection.open)
    use(world, source, lease).catch((error: unknown) => broken.push(error))
  }, settled)
}

const broken: unknown[] = []

async function use(
  { clock, random, leases }: World,
  source: Source<FakeConnection>,
  lease: Lease<FakeConnection>,
): Promise<void> {
  await clock.sleep(random() * random() * 3_000)
  const luck = random()
  if (luck < 0.1) source.fail(lease, new FakeError(pick(random, ['busy', 'broken', 'lost'] as const)))
  if (luck > 0.8) lease.connection.dirty = true
  if (luck > 0.9) lease.connection.busy = true
  leases.delete(lease)
  source.release(lease)
  if (luck > 0.5) source.release(lease)
}

// Now, or so many microtasks after the next handshake.
async function closeSomewhere(world: World): Promise<void> {
  const { pool, clock, servers, random } = world
  const distance = Math.floor(random() * 30)
  let closed: Promise<unknown> | undefined
  const close = (): void => {
    closed ??= pool.close(500)
  }
  if (random() < 0.7) {
    for (const server of servers) server.onAccept = () => void microtasks(distance).then(close)
    for (const server of servers) server.kill()
    for (const server of servers) server.start()
    for (let i = 0; i < 10; i++) borrow(world)
    for (let seconds = 0; seconds < 10 && closed === undefined; seconds++) await clock.advance(1_000)
  }
  close()
  await clock.advance(500)
  await closed
}

const modes: readonly FakeMode[] = ['up', 'refusing', 'frozen', 'denying', 'full', 'waiting']

const faults: readonly ((world: World) => void)[] = [
  ({ servers, random }) => pick(random, servers).kill(),
  ({ servers, random }) => pick(random, servers).freeze(),
  ({ servers, random }) => pick(random, servers).start(),
  ({ servers, random }) => pick(random, servers).start(),
  ({ servers, random }) => pick(random, servers).clog(),
  ({ servers, random }) => {
    pick(random, servers).mode = pick(random, modes)
  },
  ({ servers }) => {
    for (const server of servers) server.kill()
  },
  ({ servers }) => {
    for (const server of servers) server.start()
  },
  ({ servers, random }) => {
    pick(random, servers).answerMs = 5 + random() * 400
  },
  ({ servers, random }) => {
    pick(random, servers).endsConnectionsAfterMs = random() < 0.5 ? random() * 50 : Number.POSITIVE_INFINITY
  },
  ({ servers, random }) => {
    for (const connection of pick(random, servers).connections) if (random() < 0.5) connection.lose()
  },
  ({ pool, leases, random }) => {
    for (const lease of leases) if (random() < 0.3) pool.report(lease, new FakeError('broken'))
  },
  ({ clock, random }) => void clock.block(random() * 3_000),
]

function invariants(world: World): void {
  expect(world.pastDeadline).toEqual(new Set())
  expect(broken).toEqual([])
  for (const server of world.servers) {
    // The monitor has one more.
    expect(server.connections.size).toBeLessThanOrEqual(max + 1)
    expect(server.maxDialing).toBeLessThanOrEqual(parallel + 1)
  }
  for (const lease of world.leases) expect(lease.signal.aborted).toBe(!lease.connection.open)
  for (const host of world.pool.health().hosts) {
    expect(host.inUse).toBeLessThanOrEqual(max)
    expect(host.waiting).toBeLessThanOrEqual(5 + max)
    if (host.health !== 'down') continue
    expect(
      [...world.leases].filter(
        ({ endpoint, signal }) => `${endpoint.host}:1` === host.endpoint && !signal.aborted,
      ),
    ).toEqual([])
  }
  const alive = [...world.leases].filter((lease) => !lease.signal.aborted)
  expect(new Set(alive.map((lease) => lease.connection)).size).toBe(alive.length)
}

function open({ servers }: World): readonly FakeConnection[] {
  return servers.flatMap((server) => [...server.connections])
}

function pick<T>(random: () => number, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!
}
