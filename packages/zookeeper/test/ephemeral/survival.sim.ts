import { seededRandom, simulationSeeds } from '@ha/core/testing'
import type { Txn } from '@ha/testing/zookeeper'
import { describe, expect, it } from 'vitest'
import type { Ephemeral } from '../../src/recipes/ephemeral.ts'
import { type Harness, type Member, openHarness, sessionMs } from '../harness.ts'

const seeds = simulationSeeds(100)

const paths = Array.from({ length: 20 }, (_, i) => `/s/${i}`)

describe('ephemerals under outages that end around the session timeout', () => {
  it(`are all back, and none is made anew in its own session, in ${seeds.length} runs`, {
    timeout: 300_000,
  }, async () => {
    const sum = { sessions: 0, replaced: 0 }
    for (const seed of seeds) {
      const { sessions, replaced } = await simulate(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed} failed; HA_SEED=${seed} replays it`, { cause: error })
      })
      sum.sessions += sessions
      sum.replaced += replaced
    }
    // The runs prove something only if sessions are lost in them and nodes of lost sessions are found.
    if (seeds.length > 1) {
      expect(sum.sessions).toBeGreaterThan(seeds.length * 2)
      expect(sum.replaced).toBeGreaterThan(0)
    }
  })
})

async function simulate(seed: number): Promise<{ readonly sessions: number; readonly replaced: number }> {
  const harness = await openHarness(seed)
  const owner = harness.member()
  const random = seededRandom(seed)
  const ephemerals = paths.map((path) => owner.client.ephemeral(path, path))
  await harness.inTime(Promise.all(ephemerals.map((ephemeral) => ephemeral.ready())))
  for (let episode = 0; episode < 4; episode++) {
    const heal = await faults[Math.floor(random() * faults.length)]!(harness, owner)
    await harness.clock.advance(sessionMs * (0.5 + random()))
    await heal()
    await harness.clock.advance(random() * 1_000)
  }
  await harness.clock.advance(2_000)
  const sessionId = owner.client.session!.id
  const { epoch } = owner.client.session!
  expect(ownedBy(harness, sessionId), 'registered in the last session').toEqual([...paths].sort())
  expect(ephemerals.map(({ state }) => state.kind)).toEqual(paths.map(() => 'held'))
  expect(ownUndone(harness.ensemble.history()), 'deleted by the session that held them').toEqual([])
  const replaced = replacements(harness.ensemble.history())
  await harness.inTime(closed(ephemerals))
  expect(ownedBy(harness, sessionId), 'left behind').toEqual([])
  await harness.close()
  expect(harness.clock.pending, 'timers left behind').toBe(0)
  return { sessions: epoch, replaced }
}

function ownedBy(harness: Harness, session: bigint): readonly string[] {
  return [...(harness.ensemble.owners().get(session) ?? [])].sort()
}

// The nodes that a living session deleted without being asked.
function ownUndone(history: readonly Txn[]): readonly string[] {
  return history
    .filter(({ ended }) => ended === undefined)
    .flatMap(({ session, changes }) =>
      changes.filter(({ kind, node }) => kind === 'deleted' && node.owner === session),
    )
    .map(({ path }) => path)
}

function replacements(history: readonly Txn[]): number {
  return history.filter(({ changes }) => changes.map(({ kind }) => kind).join() === 'deleted,created').length
}

async function closed(ephemerals: readonly Ephemeral[]): Promise<void> {
  await Promise.all(ephemerals.map((ephemeral) => ephemeral.close()))
}

const faults: readonly ((harness: Harness, owner: Member) => Promise<() => unknown>)[] = [
  async (_, { host }) => {
    host.cut()
    return () => host.heal()
  },
  async (_, { host }) => {
    host.freeze()
    return () => host.thaw()
  },
  async ({ ensemble }, { client }) => {
    ensemble.expire(client.session?.id ?? 0n)
    return () => undefined
  },
  async ({ ensemble }, { client }) => {
    const node = ensemble.nodeOf(client.session?.id ?? 0n) ?? ensemble.node(1)
    await node.kill()
    return () => node.start()
  },
  // A new leader restarts the timeout of each session: a session that is over for the client is not over for the servers.
  async ({ ensemble, clock }, { host }) => {
    host.cut()
    await clock.advance(sessionMs * 0.8)
    const { leader } = ensemble
    await leader?.kill()
    return async () => {
      host.heal()
      await leader?.start()
    }
  },
]
