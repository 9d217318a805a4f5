import { seededRandom, simulationSeeds } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { Depth } from '../../src/cache/tree-node.ts'
import { type Harness, type Member, openHarness, sessionMs } from '../harness.ts'
import { type Picture, pictureIn, pictureOf } from './cached-and-real.ts'

const seeds = simulationSeeds(100)

const depths: readonly Depth[] = [0, 1, 'tree']

describe('caches under writes and faults', () => {
  it(`equal the tree in the end, in ${seeds.length} runs`, { timeout: 300_000 }, async () => {
    for (const seed of seeds) {
      await simulate(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed} failed; HA_SEED=${seed} replays it`, { cause: error })
      })
    }
  })
})

interface World {
  readonly harness: Harness
  readonly reader: Member
  readonly writer: Member
  readonly random: () => number
  readonly caches: ReadonlyMap<Depth, Cache<Buffer>>
  /** The content as known from the changes alone. */
  readonly heard: ReadonlyMap<Depth, Map<string, bigint>>
}

async function simulate(seed: number): Promise<void> {
  const world = await begin(seed)
  const { harness, reader, caches } = world
  for (let step = 0; step < 6; step++) await suffer(world)
  // Within two seconds after the last fault, the cache equals the tree.
  await harness.clock.advance(2_000)
  for (const [depth, cache] of caches) equals(world, depth, cache)
  expect(watchesOf(world), 'watches, for each node that is followed').toBeLessThanOrEqual(mostWatches(world))
  for (const cache of caches.values()) cache.close()
  await harness.clock.advance(100)
  expect(reader.client.health().watches, 'watches left behind').toBe(0)
  await harness.close()
  expect(harness.clock.pending, 'timers left behind').toBe(0)
}

async function begin(seed: number): Promise<World> {
  const harness = await openHarness(seed)
  const [reader, writer] = [harness.member(), harness.member()]
  const caches = new Map(depths.map((depth) => [depth, reader.client.cache('/c', { depth, jitterMs: 20 })]))
  const heard = new Map(depths.map((depth) => [depth, new Map<string, bigint>()]))
  for (const [depth, cache] of caches) listen(cache, heard.get(depth)!)
  await harness.inTime(Promise.all([...caches.values()].map((cache) => cache.ready())))
  return { harness, reader, writer, random: seededRandom(seed), caches, heard }
}

function listen(cache: Cache<Buffer>, heard: Map<string, bigint>): void {
  cache.onChange(({ added, changed, removed }) => {
    for (const { path, stat } of added) heard.set(path, stat.mzxid)
    for (const { after } of changed) heard.set(after.path, after.stat.mzxid)
    for (const { path } of removed) heard.delete(path)
  })
}

function equals({ harness, heard }: World, depth: Depth, cache: Cache<Buffer>): void {
  expect(pictureOf(cache), `depth ${depth}`).toEqual(pictureIn(harness.ensemble, '/c', depth))
  expect([cache.stale, cache.problems.size], `depth ${depth}: stale, problems`).toEqual([false, 0])
  const told: Picture = Object.fromEntries([...heard.get(depth)!].map(([path, zxid]) => [path, String(zxid)]))
  const shown = [...cache.current()].map(([path, { stat }]) => [path, String(stat.mzxid)])
  expect(told, `depth ${depth}: what was told`).toEqual(Object.fromEntries(shown))
}

// Writes before, during and after a fault, or two at once.
async function suffer(world: World): Promise<void> {
  const { harness, random } = world
  await write(world, 5)
  const heals = [await pick(random, faults)(world)]
  if (random() < 0.3) heals.push(await pick(random, faults)(world))
  await write(world, 10)
  await harness.clock.advance(random() * 1.6 * sessionMs)
  await write(world, 5)
  for (const heal of heals) await heal()
  await harness.clock.advance(random() * 500)
}

const names = ['a', 'b', 'a/x', 'a/y', 'b/x', 'a/x/1', '']

async function write({ writer, random, harness }: World, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const name = pick(random, names)
    const path = name === '' ? '/c' : `/c/${name}`
    const { client } = writer
    const roll = random()
    const done =
      roll < 0.5
        ? client.create(path, `made ${i}`, { parents: true, timeoutMs: 200 })
        : roll < 0.75
          ? client.set(path, `set ${i}`, { timeoutMs: 200 })
          : client.delete(path, { recursive: true, timeoutMs: 200 })
    // The outcome does not matter: the committed tree is the reference.
    await harness.inTime(done.then(ignore, ignore))
    if (random() < 0.3) await harness.clock.advance(random() * 50)
  }
}

const faults: readonly ((world: World) => Promise<() => unknown>)[] = [
  async ({ reader }) => {
    reader.host.cut()
    return () => reader.host.heal()
  },
  async ({ reader }) => {
    reader.host.freeze()
    return () => reader.host.thaw()
  },
  async ({ harness, reader }) => {
    harness.ensemble.expire(reader.client.session?.id ?? 0n)
    return ignore
  },
  async ({ harness, reader }) => {
    const node = harness.ensemble.nodeOf(reader.client.session?.id ?? 0n) ?? harness.ensemble.node(1)
    await node.kill()
    return () => node.start()
  },
  async ({ harness, reader }) => {
    const node = harness.ensemble.nodeOf(reader.client.session?.id ?? 0n) ?? harness.ensemble.node(1)
    node.freeze()
    return () => node.thaw()
  },
  async ({ harness, random }) => {
    const node = pick(random, harness.ensemble.nodes)
    node.lagMs = Number.POSITIVE_INFINITY
    return () => {
      node.lagMs = 0
    }
  },
  async ({ harness }) => {
    const { leader } = harness.ensemble
    await leader?.kill()
    return () => leader?.start()
  },
  async ({ harness }) => {
    const { nodes } = harness.ensemble
    for (const node of nodes) node.freeze()
    return () => {
      for (const node of nodes) node.thaw()
    }
  },
]

function watchesOf({ reader }: World): number {
  return reader.client.health().watches
}

// At most one watch for the data and one for the children of each node, and one for a root that does not exist.
function mostWatches({ harness }: World): number {
  return 2 * Object.keys(pictureIn(harness.ensemble, '/c', 'tree')).length + 1
}

function pick<T>(random: () => number, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)]!
}

function ignore(): void {}
