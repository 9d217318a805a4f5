import { describe, expect, it } from 'vitest'
import { idsOf, openHarness } from '../harness.ts'

const second = 1_000
const intervalMs = 500
const failures = 2
const minDwellMs = 10 * second

describe('Z7: the health check of an instance fails, and then flaps', () => {
  it('is withdrawn in time, written at most once while it flaps, and back when it is well for long enough', async () => {
    await using harness = await openHarness()
    const view = harness.member().client.discovery().service('mqtt')
    const { client } = harness.member()
    let well = true
    const health = { check: () => well, intervalMs, failures, successes: 2, minDwellMs }
    const registration = client
      .discovery()
      .register({ name: 'mqtt', id: 'a', address: 'a.local' }, { health })
    await harness.inTime(registration.ready())
    await harness.clock.advance(second)
    const session = client.session?.id
    const listed = idsOf(view)
    well = false
    await harness.clock.advance(failures * intervalMs + 200)
    const withdrawn = idsOf(view)
    const fromZxid = harness.ensemble.history().length
    const listedWhileFlapping = new Set<string>()
    // Two checks pass, two fail, and so on.
    for (let flap = 0; flap < 60; flap += 1) {
      well = !well
      await harness.clock.advance(second)
      for (const id of idsOf(view)) listedWhileFlapping.add(id)
    }
    const writes = harness.ensemble
      .history()
      .slice(fromZxid)
      .filter(({ changes }) => changes.some(({ path }) => path === '/services/mqtt/a')).length
    well = true
    await harness.clock.advance(minDwellMs + 2 * intervalMs + 200)

    expect({ listed, withdrawn, back: idsOf(view) }).toEqual({ listed: ['a'], withdrawn: [], back: ['a'] })
    expect(writes).toBeLessThanOrEqual(1)
    expect([...listedWhileFlapping]).toEqual([])
    expect(client.session?.id).toBe(session)
    expect(client.session?.epoch).toBe(1)
  })
})
