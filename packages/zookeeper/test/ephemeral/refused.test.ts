import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Harness, openHarness } from '../harness.ts'

const noAuth = -102

let harness: Harness
let defects: string[]

beforeEach(async () => {
  harness = await openHarness()
  defects = []
})
afterEach(() => harness.close())

function member(chroot = ''): ReturnType<Harness['member']> {
  const made = harness.member({ connect: harness.ensemble.connectString + chroot })
  made.client.events.on('defect', ({ where }) => void defects.push(where))
  return made
}

it('an ephemeral below a missing chroot says so, and is there within a minute after a person made the chroot', async () => {
  const ephemeral = member('/shop').client.ephemeral('/services/gateway/one', '')
  await harness.clock.advance(20_000)
  expect(ephemeral.state).toMatchObject({
    kind: 'pending',
    reason: { code: 'config-invalid', message: expect.stringMatching(/ensureChroot: true/) },
  })
  expect(defects).toEqual(['ephemeral /services/gateway/one'])
  await harness.inTime(harness.member().client.create('/shop'))
  await harness.clock.advance(60_000)

  expect(ephemeral.state.kind).toBe('held')
})

it('an ephemeral that may not be made says so, and is there within a minute after a person allowed it', async () => {
  const allow = harness.ensemble.script({ when: { op: 'create2', path: '/e' }, do: 'refuse', code: noAuth })
  const ephemeral = member().client.ephemeral('/e', '')
  await harness.clock.advance(20_000)
  expect(ephemeral.state).toMatchObject({ kind: 'pending', reason: { code: 'no-auth' } })
  expect(defects).toEqual(['ephemeral /e'])
  allow()
  await harness.clock.advance(60_000)

  expect(ephemeral.state.kind).toBe('held')
})

it('an update that is refused says so at once', async () => {
  const { client } = member()
  const ephemeral = client.ephemeral('/e', '')
  await harness.inTime(ephemeral.ready())
  harness.ensemble.script({ when: { op: 'set-data', path: '/e' }, do: 'refuse', code: noAuth })
  const begunAtMs = harness.clock.now()

  await expect(harness.inTime(ephemeral.update('new'))).rejects.toMatchObject({ code: 'no-auth' })
  expect(harness.clock.now() - begunAtMs).toBeLessThan(1_000)
})

it('an update that cannot be written by anybody says so at once', async () => {
  const { client } = member()
  const ephemeral = client.ephemeral('/e', '')
  await harness.inTime(ephemeral.ready())
  const begunAtMs = harness.clock.now()

  await expect(harness.inTime(ephemeral.update(Buffer.alloc(2_000_000)))).rejects.toMatchObject({
    name: 'ZookeeperError',
    code: 'too-large',
  })
  expect(harness.clock.now() - begunAtMs).toBeLessThan(1_000)
})

it('a node that may not be deleted does not hold up its closing, and another one has its place', async () => {
  const { client } = member()
  const ephemeral = client.ephemeral('/e', 'first')
  await harness.inTime(ephemeral.ready())
  harness.ensemble.script({ when: { op: 'delete', path: '/e' }, do: 'refuse', code: noAuth })
  const begunAtMs = harness.clock.now()
  await harness.inTime(ephemeral.close())
  expect(harness.clock.now() - begunAtMs).toBeLessThan(1_000)
  const second = client.ephemeral('/e', 'second')
  await harness.inTime(second.ready())

  expect(harness.ensemble.tree().get('/e')?.data?.toString()).toBe('second')
})
