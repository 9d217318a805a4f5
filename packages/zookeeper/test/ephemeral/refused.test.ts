import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Harness, openHarness } from '../harness.ts'

const noAuth = -102

let bench: Harness
let defects: string[]

beforeEach(async () => {
  bench = await openHarness()
  defects = []
})
afterEach(() => bench.close())

function member(chroot = ''): ReturnType<Harness['member']> {
  const made = bench.member({ connect: bench.ensemble.connectString + chroot })
  made.client.events.on('defect', ({ where }) => void defects.push(where))
  return made
}

it('an ephemeral below a missing chroot says so, and is there soon after somebody made the chroot', async () => {
  const ephemeral = member('/shop').client.ephemeral('/services/gateway/one', '')
  await bench.clock.advance(20_000)
  expect(ephemeral.state).toMatchObject({
    kind: 'pending',
    reason: { code: 'config-invalid', message: expect.stringMatching(/ensureChroot: true/) },
  })
  expect(defects).toEqual(['ephemeral /services/gateway/one'])
  await bench.inTime(bench.member().client.create('/shop'))
  await bench.clock.advance(2_000)

  expect(ephemeral.state.kind).toBe('held')
})

it('an ephemeral that may not be made says so, and is there soon after somebody allowed it', async () => {
  const allow = bench.ensemble.script({ when: { op: 'create2', path: '/e' }, do: 'refuse', code: noAuth })
  const ephemeral = member().client.ephemeral('/e', '')
  await bench.clock.advance(20_000)
  expect(ephemeral.state).toMatchObject({ kind: 'pending', reason: { code: 'no-auth' } })
  expect(defects).toEqual(['ephemeral /e'])
  allow()
  await bench.clock.advance(2_000)

  expect(ephemeral.state.kind).toBe('held')
})

it('an update that is refused says so at once', async () => {
  const { client } = member()
  const ephemeral = client.ephemeral('/e', '')
  await bench.inTime(ephemeral.ready())
  bench.ensemble.script({ when: { op: 'set-data', path: '/e' }, do: 'refuse', code: noAuth })
  const begunAtMs = bench.clock.now()

  await expect(bench.inTime(ephemeral.update('new'))).rejects.toMatchObject({ code: 'no-auth' })
  expect(bench.clock.now() - begunAtMs).toBeLessThan(1_000)
})

it('an update that cannot be written by anybody says so at once', async () => {
  const { client } = member()
  const ephemeral = client.ephemeral('/e', '')
  await bench.inTime(ephemeral.ready())
  const begunAtMs = bench.clock.now()

  await expect(bench.inTime(ephemeral.update(Buffer.alloc(2_000_000)))).rejects.toMatchObject({
    name: 'ZookeeperError',
    code: 'too-large',
  })
  expect(bench.clock.now() - begunAtMs).toBeLessThan(1_000)
})

it('a node that may not be deleted does not hold up its closing, and another one has its place', async () => {
  const { client } = member()
  const ephemeral = client.ephemeral('/e', 'first')
  await bench.inTime(ephemeral.ready())
  bench.ensemble.script({ when: { op: 'delete', path: '/e' }, do: 'refuse', code: noAuth })
  const begunAtMs = bench.clock.now()
  await bench.inTime(ephemeral.close())
  expect(bench.clock.now() - begunAtMs).toBeLessThan(1_000)
  const second = client.ephemeral('/e', 'second')
  await bench.inTime(second.ready())

  expect(bench.ensemble.tree().get('/e')?.data?.toString()).toBe('second')
})
