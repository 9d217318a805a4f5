import { describe, expect, it } from 'vitest'
import type { ServiceView } from '../../src/discovery/service-view.ts'
import { idsOf, openWorld, sessionMs, tickMs, type World } from './world.ts'

const second = 1_000

describe('Z6: an instance goes', () => {
  it('without a word: readers drop it within its session and one and a half ticks', async () => {
    await using world = await openWorld()
    const view = await viewed(world)
    const { machine } = await instance(world, 'a', 1)
    await instance(world, 'b', 1)
    machine.freeze()
    await world.clock.advance(sessionMs + 1.5 * tickMs)
    expect(idsOf(view)).toEqual(['b'])
  })

  it('by its own will: readers drop it within 250 ms', async () => {
    await using world = await openWorld()
    const view = await viewed(world)
    const { client } = await instance(world, 'a', 1)
    await instance(world, 'b', 1)
    const closing = client.close()
    await world.clock.advance(250)
    await closing
    expect(idsOf(view)).toEqual(['b'])
  })

  it('and comes again under its name: it is seen within a second, and its old life takes nothing from it', async () => {
    await using world = await openWorld()
    const view = await viewed(world)
    const old = await instance(world, 'a', 1)
    old.machine.freeze()
    await world.clock.advance(300)
    const next = world.member()
    next.client.discovery().register({ name: 'mqtt', id: 'a', address: 'a', port: 2 }, { takeover: true })
    await world.clock.advance(second)
    const atOnce = portsOf(view)
    // The end of the old session, and then its process, which goes on.
    await world.clock.advance(2 * sessionMs)
    const afterItsEnd = portsOf(view)
    old.machine.thaw()
    await world.clock.advance(2 * sessionMs)
    expect({ atOnce, afterItsEnd, afterItsReturn: portsOf(view) }).toEqual({
      atOnce: [2],
      afterItsEnd: [2],
      afterItsReturn: [2],
    })
    const owner = world.ensemble.tree().get('/services/mqtt/a')?.stat.ephemeralOwner
    expect(owner).toBe(next.client.session?.id)
  })
})

async function viewed(world: World): Promise<ServiceView> {
  const view = world.member().client.discovery().service('mqtt')
  await world.inTime(view.ready())
  return view
}

async function instance(world: World, id: string, port: number): Promise<ReturnType<World['member']>> {
  const member = world.member()
  const options = { takeover: true }
  const registration = member.client.discovery().register({ name: 'mqtt', id, address: id, port }, options)
  await world.inTime(registration.ready())
  await world.clock.advance(second)
  return member
}

function portsOf(view: ServiceView): readonly (number | undefined)[] {
  return view.all().map(({ port }) => port)
}
