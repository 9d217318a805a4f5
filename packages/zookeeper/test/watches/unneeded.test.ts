import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

const kinds = ['data', 'children'] as const
const watches = ({ ensemble }: ClientHarness): number =>
  ensemble.nodes.reduce((sum, node) => sum + node.watchCount('data') + node.watchCount('children'), 0)

async function watching(
  harness: ClientHarness,
  zk: Zookeeper,
  kind: (typeof kinds)[number],
): Promise<() => void> {
  const stop = new AbortController()
  const events = zk.watch('/a', { kind, signal: stop.signal })
  await settledWithin(harness.clock, 1_000, events.next())
  events.next().catch(() => undefined)
  return () => stop.abort()
}

// A server has one watch for both; it stays for the other one when the recursive one is removed.
it.each(kinds)('of a node whose last listener leaves no watch stays, be it for its %s', async (kind) => {
  await using harness = await openClientHarness()
  const { clock } = harness
  const zk = harness.client()
  await settledWithin(clock, 1_000, zk.create('/a'))
  const unwatch = await watching(harness, zk, kind)
  const below = zk.watchRecursive('/a')
  await settledWithin(clock, 1_000, below.next())
  await settledWithin(clock, 1_000, below.return())
  await clock.advance(100)
  const before = watches(harness)
  unwatch()
  await clock.advance(100)

  expect({ before, after: watches(harness), known: zk.health().watches }).toEqual({
    before: 2,
    after: 0,
    known: 0,
  })
})
