import { expect, it } from 'vitest'
import { after, bench } from '../client/virtual.ts'

const manyBytes = 100_000

// Seen with 18 MiB of paths: asked for all at once, it was more than one connection holds, again on each new one.
it('a client that watches more than a connection has room for comes back with every watch', async () => {
  await using world = await bench()
  const { clock, ensemble } = world
  const zk = world.client({ maxOperations: 3 })
  await after(clock, 1_000, zk.ready())
  const watched = Array.from({ length: 8 }, (_, n) =>
    zk.watch(`/${'p'.repeat(manyBytes)}${n}`, { kind: 'exists' }),
  )
  const armed = Promise.all(watched.map((each) => each.next()))
  await after(clock, 10_000, armed)
  for (const { connections } of ensemble.nodes) for (const line of connections) line.reset()
  await clock.advance(2_000)

  expect(zk.state).toBe('reconnected')
  expect(ensemble.nodes.reduce((sum, node) => sum + node.watchCount('data'), 0)).toBe(8)
})
