import { expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const manyBytes = 100_000

// Seen with 18 MiB of paths: one request for all exceeded the limit of the connection, on each new connection again.
it('a client that watches more than a connection has room for comes back with every watch', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const zk = harness.client({ maxOperations: 3 })
  await settledWithin(clock, 1_000, zk.ready())
  const watched = Array.from({ length: 8 }, (_, n) =>
    zk.watch(`/${'p'.repeat(manyBytes)}${n}`, { kind: 'exists' }),
  )
  const armed = Promise.all(watched.map((each) => each.next()))
  await settledWithin(clock, 10_000, armed)
  for (const { connections } of ensemble.nodes) for (const line of connections) line.reset()
  await clock.advance(2_000)

  expect(zk.state).toBe('reconnected')
  expect(ensemble.nodes.reduce((sum, node) => sum + node.watchCount('data'), 0)).toBe(8)
})
