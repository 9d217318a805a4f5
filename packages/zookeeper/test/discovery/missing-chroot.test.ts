import { expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'

it('a registration below a chroot that is missing says so once, and is made within a minute after the chroot is', async () => {
  await using world = await openClientHarness()
  const { clock, ensemble } = world
  const client = world.client({ connect: `${ensemble.connectString}/shop` })
  const defects: string[] = []
  client.events.on('defect', ({ error }) => {
    defects.push(error.message)
  })
  const registration = client.discovery().register({ name: 'gateway', id: 'gw-1', address: '10.0.0.7' })
  await clock.advance(60_000)
  expect(registration.state).toMatchObject({
    kind: 'pending',
    reason: { message: expect.stringContaining('/shop') },
  })
  expect(defects).toEqual([expect.stringContaining('/shop')])
  await settledWithin(clock, 1_000, world.client().create('/shop'))
  await clock.advance(70_000)
  expect(registration.state.kind).toBe('registered')
})
