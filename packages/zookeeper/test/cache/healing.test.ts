import { seededRandom } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import type { Depth } from '../../src/cache/tree-node.ts'
import { type Harness, type Member, openHarness } from '../harness.ts'
import { pictureIn, pictureOf } from './cached-and-real.ts'

const sessionTimeoutMs = 2_000
const depths: readonly Depth[] = [0, 1, 'tree']

// From half a second before the end of a session to half a second after it: with and without a new session.
const outagesMs = [-500, -300, -100, 100, 300, 500].map((ms) => sessionTimeoutMs + ms)

describe('caches of an ensemble that stood still for about a session', () => {
  it.each(outagesMs)('equal it two seconds after it goes on (%i ms)', async (outageMs) => {
    const harness = await openHarness(outageMs)
    const random = seededRandom(outageMs)
    const [reader, writer] = [harness.member({ sessionTimeoutMs }), harness.member({ sessionTimeoutMs })]
    const caches = await cachesOf(harness, reader, writer)
    const writing = startWriting(harness, writer, random)
    for (let outage = 0; outage < 3; outage++) {
      await harness.clock.advance(500 + random() * 500)
      await standStill(harness, outageMs, random)
    }
    // A later write would reveal what was missed.
    const untilMs = harness.clock.now() + 2_000
    await harness.inTime(writing.stop())
    await harness.clock.advance(untilMs - harness.clock.now())
    const shown = depths.map((depth) => [depth, pictureOf(caches.get(depth)!), caches.get(depth)!.stale])
    const real = depths.map((depth) => [depth, pictureIn(harness.ensemble, '/c', depth), false])
    expect(shown).toEqual(real)
    await harness.close()
  })
})

const names = Array.from({ length: 12 }, (_, i) => `/c/${i}`)

async function cachesOf(
  harness: Harness,
  reader: Member,
  writer: Member,
): Promise<ReadonlyMap<Depth, Cache<Buffer>>> {
  for (const path of names) await harness.inTime(writer.client.create(path, 'first', { parents: true }))
  // The nodes end with their session, and are created again in the next one.
  for (let i = 0; i < 6; i++) writer.client.ephemeral(`/c/e${i}`, 'here')
  const opened = depths.map((depth): [Depth, Cache<Buffer>] => [
    depth,
    reader.client.cache('/c', { depth, jitterMs: 50 }),
  ])
  await harness.inTime(Promise.all(opened.map(([, cache]) => cache.ready())))
  return new Map(opened)
}

function startWriting({ clock }: Harness, { client }: Member, random: () => number) {
  const limit = { timeoutMs: 200 }
  const end = new AbortController()
  const one = async (turn: number): Promise<unknown> => {
    const path = names[turn % names.length]!
    if (random() < 0.7) return client.set(path, `${turn}`, limit)
    await client.delete(path, limit)
    return client.create(path, `${turn}`, limit)
  }
  const run = async (): Promise<void> => {
    for (let turn = 0; !end.signal.aborted; turn++) {
      // The outcome does not matter: the committed tree is the reference.
      await one(turn).catch(() => undefined)
      await clock.sleep(20, end.signal).catch(() => undefined)
    }
  }
  const running = run()
  return {
    stop: () => {
      end.abort()
      return running
    },
  }
}

// One after another, as on an overloaded machine.
async function standStill({ ensemble, clock }: Harness, forMs: number, random: () => number): Promise<void> {
  for (const node of ensemble.nodes) {
    node.freeze()
    await clock.advance(random() * 20)
  }
  await clock.advance(forMs)
  for (const node of ensemble.nodes) {
    node.thaw()
    await clock.advance(random() * 20)
  }
}
