import { describe, expect, it } from 'vitest'
import type { Cache } from '../../src/cache/cache.ts'
import { contentsOf, type Harness, openHarness } from '../harness.ts'
import { repeatedly } from './load.ts'

// Each node is watched twice, for its data and its children: with the root, 5 000 watches.
const nodes = 2_499
const ephemerals = 500
const mostBytes = 128 * 1024
// The size of a frame without its paths.
const headBytes = 64

const name = (n: number): string => `/watched/a-name-that-is-as-long-as-those-of-real-nodes-often-are-${n}`

describe('Z10: every server is restarted, one after the other', () => {
  it('loses no update for 5 000 watches and 500 ephemerals, and keeps its session', {
    timeout: 120_000,
  }, async () => {
    await using harness = await openHarness()
    const { client } = harness.member()
    const other = harness.member().client
    await harness.inTime(other.create('/watched'))
    await harness.inTime(inBatches(nodes, (n) => other.create(name(n), 'old')))
    const held = Array.from({ length: ephemerals }, (_, n) => client.ephemeral(`/held/${n}`, String(n)))
    const cache = client.cache('/watched', { depth: 'tree' })
    await harness.inTime(
      Promise.all([cache.ready({ timeoutMs: 60_000 }), ...held.map((each) => each.ready())]),
    )
    const { watches } = client.health()
    const session = client.session
    harness.ensemble.log.clear()

    // Changes are written all the time, except at the moments when a server stops.
    const load = repeatedly(harness.clock, 25, (n) =>
      n % 10 === 9 ? other.delete(name(n)) : other.set(name(n), `new ${n}`, { repeatable: true }),
    )
    for (const node of harness.ensemble.nodes) {
      await node.stop()
      await harness.clock.advance(1_500)
      await node.start()
      await harness.clock.advance(2_000)
    }
    await load.end()
    await harness.clock.advance(2_000)

    expect(watches).toBeGreaterThanOrEqual(5_000)
    expect(differences(harness, cache)).toEqual([])
    expect(client.session?.id).toBe(session?.id)
    expect(session?.signal.aborted).toBe(false)
    const own = [...harness.ensemble.tree()].filter(([, { stat }]) => stat.ephemeralOwner === session?.id)
    expect(own).toHaveLength(ephemerals)
    const sizes = harness.ensemble.log
      .entries({ op: 'set-watches', session: session?.id ?? 0n })
      .map(({ bytes }) => bytes)
    expect(sizes.length).toBeGreaterThanOrEqual(2)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(mostBytes + headBytes)
    expect(Math.max(...sizes)).toBeGreaterThan(mostBytes / 2)
  })
})

// The paths at which the cache differs from the committed tree.
function differences(harness: Harness, cache: Cache<Buffer>): readonly string[] {
  const there = contentsOf(harness, '/watched')
  const known = new Map([...cache.current()].map(([path, { value }]) => [path, value.toString()]))
  known.delete('/watched')
  return [...new Set([...there.keys(), ...known.keys()])].filter(
    (path) => there.get(path) !== known.get(path),
  )
}

async function inBatches(count: number, make: (n: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    await Promise.all(Array.from({ length: Math.min(500, count - from) }, (_, i) => make(from + i)))
  }
}
