import { describe, expect, it } from 'vitest'
import { idsOf, openWorld } from './world.ts'

const second = 1_000
const intervalMs = 500
const failures = 2
const minDwellMs = 10 * second

describe('Z7: the health check of an instance fails, and then flaps', () => {
  it('is withdrawn in time, written at most once while it flaps, and back when it is well for long enough', async () => {
    await using world = await openWorld()
    const view = world.member().client.discovery().service('mqtt')
    const { client } = world.member()
    let well = true
    const health = { check: () => well, intervalMs, failures, successes: 2, minDwellMs }
    const registration = client
      .discovery()
      .register({ name: 'mqtt', id: 'a', address: 'a.local' }, { health })
    await world.inTime(registration.ready())
    await world.clock.advance(second)
    const session = client.session?.id
    const listed = idsOf(view)
    well = false
    await world.clock.advance(failures * intervalMs + 200)
    const withdrawn = idsOf(view)
    const fromZxid = world.ensemble.history().length
    const listedWhileFlapping = new Set<string>()
    // Two checks that pass, two that fail, and so on.
    for (let flap = 0; flap < 60; flap += 1) {
      well = !well
      await world.clock.advance(second)
      for (const id of idsOf(view)) listedWhileFlapping.add(id)
    }
    const writes = world.ensemble
      .history()
      .slice(fromZxid)
      .filter(({ changes }) => changes.some(({ path }) => path === '/services/mqtt/a')).length
    well = true
    await world.clock.advance(minDwellMs + 2 * intervalMs + 200)

    expect({ listed, withdrawn, back: idsOf(view) }).toEqual({ listed: ['a'], withdrawn: [], back: ['a'] })
    expect(writes).toBeLessThanOrEqual(1)
    expect([...listedWhileFlapping]).toEqual([])
    expect(client.session?.id).toBe(session)
    expect(client.session?.epoch).toBe(1)
  })
})
