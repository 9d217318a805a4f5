import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { after, type Bench, bench } from '../client/virtual.ts'

const kinds = ['data', 'children'] as const
const watches = ({ ensemble }: Bench): number =>
  ensemble.nodes.reduce((sum, node) => sum + node.watchCount('data') + node.watchCount('children'), 0)

async function watching(world: Bench, zk: Zookeeper, kind: (typeof kinds)[number]): Promise<() => void> {
  const stop = new AbortController()
  const events = zk.watch('/a', { kind, signal: stop.signal })
  await after(world.clock, 1_000, events.next())
  events.next().catch(() => undefined)
  return () => stop.abort()
}

// A server has one watch for both, which stays for the other one when the recursive one is not wanted any more.
it.each(kinds)('of a node whose last listener leaves no watch stays, be it for its %s', async (kind) => {
  await using world = await bench()
  const { clock } = world
  const zk = world.client()
  await after(clock, 1_000, zk.create('/a'))
  const unwatch = await watching(world, zk, kind)
  const below = zk.watchRecursive('/a')
  await after(clock, 1_000, below.next())
  await after(clock, 1_000, below.return())
  await clock.advance(100)
  const before = watches(world)
  unwatch()
  await clock.advance(100)

  expect({ before, after: watches(world), known: zk.health().watches }).toEqual({
    before: 2,
    after: 0,
    known: 0,
  })
})
