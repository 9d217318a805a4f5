import { expect, it } from 'vitest'
import { after, bench } from './virtual.ts'

// Seen: the process stood still between the grant and the answer to its login, and gave the session up meanwhile.
it('a connection whose session was given up before it was made carries nothing: another session begins', async () => {
  await using world = await bench({ nodes: 1 })
  const { clock, ensemble } = world
  const zk = world.client({
    auth: [{ scheme: 'digest', value: 'a:b' }],
    connectTimeoutMs: 60_000,
  })
  ensemble.script({ when: { op: 'auth', times: 1 }, do: 'delay', delayMs: 4_060 })
  const ready = zk.ready()
  await clock.advance(50)
  clock.block(3_990)

  const session = await after(clock, 30_000, ready)

  expect(session.epoch).toBe(2)
  expect(zk.state).toBe('connected')
})
