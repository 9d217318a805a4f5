import { expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

// Seen: the process was suspended between the grant and the reply to its credentials, and gave up the session
// meanwhile.
it('a connection whose session was given up before it was made carries nothing: another session begins', async () => {
  await using harness = await openClientHarness({ nodes: 1 })
  const { clock, ensemble } = harness
  const zk = harness.client({
    auth: [{ scheme: 'digest', value: 'a:b' }],
    connectTimeoutMs: 60_000,
  })
  ensemble.script({ when: { op: 'auth', times: 1 }, do: 'delay', delayMs: 4_060 })
  const ready = zk.ready()
  await clock.advance(50)
  clock.block(3_990)

  const session = await settledWithin(clock, 30_000, ready)

  expect(session.epoch).toBe(2)
  expect(zk.state).toBe('connected')
})
