import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/lease.ts'
import type { Strategy } from '../../src/policy/select.ts'
import { seededRandom, simulationSeeds } from '../../src/testing/fake-clock.ts'
import { type FakeConnection, FakeError, type FakeServer } from '../../src/testing/fake-driver.ts'
import { type LinkBench, linkBench } from './link-bench.ts'
import { microtasks } from './microtasks.ts'

const seeds = simulationSeeds(2_000)

describe('a link under random faults at random instants', () => {
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

interface World extends LinkBench {
  readonly random: () => number
  readonly leases: Lease<FakeConnection>[]
  readonly pastDeadline: Set<number>
  /** Called when a planned move is free to go. */
  onMove: () => void
}

async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const strategy = pick(random, [
    'random',
    'sequential',
    'round-robin',
  ] as const satisfies readonly Strategy[])
  const failBackAfterMs = random() < 0.5 ? 3_000 : Number.POSITIVE_INFINITY
  const beforeMove = async (): Promise<void> => {
    await bench.clock.sleep(random() * 1_000)
    world.onMove()
  }
  const bench = linkBench({ seed, strategy, failBackAfterMs, beforeMove })
  const world: World = { ...bench, random, leases: [], pastDeadline: new Set(), onMove: () => undefined }
  declareSome(world)
  for (let step = 0; step < 20; step++) {
    waitForLease(world, step)
    pick(random, faults)(world)
    await world.clock.advance(Math.floor(random() * random() * 2_500))
    invariants(world)
  }
  await closeSomewhere(world)
  expect(open(world.servers)).toEqual([])
  // A wait's own deadline is the test's timer, not the link's.
  for (const server of world.servers) server.kill()
  await world.clock.advance(5_000)
  expect(world.pastDeadline).toEqual(new Set())
  expect(open(world.servers)).toEqual([])
  expect(world.clock.pending).toBe(0)
}

// Now, or so many microtasks after the next handshake or the next planned move: each takes several of them to be served.
async function closeSomewhere(world: World): Promise<void> {
  const { link, clock, servers, random } = world
  const distance = Math.floor(random() * 24)
  let closed: Promise<void> | undefined
  const close = (): void => {
    closed ??= link.close(500)
  }
  const soon = (): void => void microtasks(distance).then(close)
  const when = pick(random, ['now', 'handshake', 'move'] as const)
  if (when === 'handshake') for (const server of servers) server.onAccept = soon
  if (when === 'move') world.onMove = soon
  if (when !== 'now') {
    for (const server of servers) server.kill()
    for (const server of servers) server.start()
    for (let seconds = 0; seconds < 30 && closed === undefined; seconds++) await clock.advance(1_000)
  }
  close()
  await clock.advance(500)
  await closed
}

const faults: readonly ((world: World) => void)[] = [
  ({ servers, random }) => pick(random, servers).kill(),
  ({ servers, random }) => pick(random, servers).freeze(),
  ({ servers, random }) => pick(random, servers).start(),
  ({ servers, random }) => pick(random, servers).clog(),
  ({ servers, random }) => {
    pick(random, servers).mode = 'denying'
  },
  ({ servers }) => {
    for (const server of servers) server.kill()
  },
  ({ servers }) => {
    for (const server of servers) server.start()
  },
  ({ servers, random }) => {
    pick(random, servers).answerMs = random() * 400
  },
  ({ servers, random }) => {
    for (const server of servers) server.answerMs = 150
    pick(random, servers).ignoresAbort = random() < 0.5
  },
  ({ servers, random }) => {
    pick(random, servers).endsConnectionsAfterMs = random() < 0.5 ? random() * 50 : Number.POSITIVE_INFINITY
  },
  ({ link, leases, random }) => {
    if (leases.length === 0) return
    const lease = pick(random, leases)
    const { state } = link
    const stale = lease.signal.aborted
    link.fail(lease, new FakeError('broken'))
    if (stale) expect(link.state).toBe(state)
  },
  ({ link, random }) => link.invalidate(pick(random, ['exchange', 'queue', 'consumer']), new Error('lapsed')),
  ({ clock, random }) => void clock.block(random() * 5_000),
  ({ leases, random }) => {
    const kind = random() < 0.5 ? 'suspended' : 'resumed'
    for (const { connection } of leases)
      connection.signal(kind === 'resumed' ? { kind } : { kind, reason: 'memory' })
  },
]

function declareSome({ link, clock, random }: World): void {
  for (const [key, needs] of [
    ['exchange', []],
    ['queue', []],
    ['consumer', ['queue']],
  ] as const) {
    link.desiredState.declare({
      key,
      needs,
      gates: random() < 0.3,
      survives: random() < 0.5,
      timeoutMs: 1_000,
      apply: async (connection, signal) => {
        await clock.sleep(random() * 20, signal)
        const luck = random()
        if (luck < 0.05) throw new FakeError('busy')
        if (luck < 0.06) throw new FakeError('conflict')
        if (luck < 0.08) throw new FakeError('broken')
        if (luck < 0.1) await new Promise(() => undefined)
        connection.applied.push(key)
      },
    })
  }
}

// Every wait settles by its deadline, whatever happens.
function waitForLease({ link, clock, leases, pastDeadline, random }: World, step: number): void {
  const controller = new AbortController()
  const timeoutMs = 1 + Math.floor(random() * 4_000)
  const cancel = clock.after(timeoutMs, () => {
    controller.abort(new Error('deadline'))
    pastDeadline.add(step)
  })
  const settled = (): void => {
    cancel()
    pastDeadline.delete(step)
  }
  link.acquire(controller.signal).then((lease) => {
    leases.push(lease)
    settled()
  }, settled)
}

function invariants(world: World): void {
  const { link, servers, leases } = world
  const valid = leases.filter((lease) => !lease.signal.aborted)
  expect(new Set(valid.map((lease) => lease.generation)).size).toBeLessThanOrEqual(1)
  // One that is served, one that a planned move is about to take, and a late one of a deaf server on its way out.
  const served = open(servers).filter((connection) => valid.some((lease) => lease.connection === connection))
  expect(served.length).toBeLessThanOrEqual(1)
  expect(open(servers).length).toBeLessThanOrEqual(2)
  const dials = servers.flatMap((server) => server.dialedAtMs).sort((a, b) => a - b)
  for (let i = 40; i < dials.length; i++) {
    expect(dials[i]! - dials[i - 40]!, 'more than 40 dials in a second').toBeGreaterThan(1_000)
  }
  if (link.state.kind === 'ready') expect(link.state.lease.connection.open).toBe(true)
}

function open(servers: readonly FakeServer[]): readonly FakeConnection[] {
  return servers.flatMap((server) => [...server.connections])
}

function pick<T>(random: () => number, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!
}
