import { expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const loginDemanded = -124
const authFailed = -115
const auth = [{ scheme: 'digest', value: 'a:b' }]

it('a server that demands a login is asked with growing pauses, and everything says why', async () => {
  await using harness = await openClientHarness()
  const { ensemble, clock } = harness
  const admit = ensemble.script({
    when: { op: ['get-data', 'create2', 'exists', 'set-data', 'get-children2'] },
    do: 'refuse',
    code: loginDemanded,
  })
  const zk = harness.client()
  let lost = 0
  zk.events.on('state', ({ state }) => {
    if (state === 'suspended') lost += 1
  })
  const ephemeral = zk.ephemeral('/e', 'x')
  const cache = zk.cache('/a')
  await clock.advance(200_000)
  expect(ephemeral.state).toMatchObject({ kind: 'pending', reason: { code: 'auth-failed' } })
  expect(lost).toBeLessThan(45)
  await expect(settledWithin(clock, 5_000, zk.get('/a', { timeoutMs: 4_000 }))).rejects.toMatchObject({
    message: expect.stringMatching(/demands a login/),
    outcome: 'not-done',
  })
  expect(zk.health().connection.reason).toMatch(/demands a login/)
  expect(cache.stale).toBe(true)
  admit()
  await clock.advance(70_000)
  expect(ephemeral.state.kind).toBe('held')
  expect(cache.stale).toBe(false)
})

it('a login that every server refuses is tried with growing pauses, for as long as the client lives', async () => {
  await using harness = await openClientHarness({ nodes: 1 })
  const { ensemble, clock } = harness
  const admit = ensemble.script({ when: { op: 'auth' }, do: 'refuse', code: authFailed })
  const zk = harness.client({ auth })
  await expect(settledWithin(clock, 5_000, zk.ready())).rejects.toMatchObject({
    message: expect.stringMatching(/credentials were refused/),
  })
  await clock.advance(600_000)
  expect(ensemble.log.entries({ op: 'auth' }).length).toBeLessThan(25)
  admit()
  await clock.advance(62_000)

  expect(zk.state).toBe('connected')
})
