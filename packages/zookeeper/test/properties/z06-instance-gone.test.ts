import { describe, expect, it } from 'vitest'
import type { ServiceView } from '../../src/discovery/service-view.ts'
import { type Harness, idsOf, openHarness, sessionMs, tickMs } from '../harness.ts'

const second = 1_000

describe('Z6: an instance goes', () => {
  it('without a word: readers drop it within its session and one and a half ticks', async () => {
    await using harness = await openHarness()
    const view = await viewed(harness)
    const { host } = await instance(harness, 'a', 1)
    await instance(harness, 'b', 1)
    host.freeze()
    await harness.clock.advance(sessionMs + 1.5 * tickMs)
    expect(idsOf(view)).toEqual(['b'])
  })

  it('by its own will: readers drop it within 250 ms', async () => {
    await using harness = await openHarness()
    const view = await viewed(harness)
    const { client } = await instance(harness, 'a', 1)
    await instance(harness, 'b', 1)
    const closing = client.close()
    await harness.clock.advance(250)
    await closing
    expect(idsOf(view)).toEqual(['b'])
  })

  it('and comes again under its name: it is seen within a second, and its old life takes nothing from it', async () => {
    await using harness = await openHarness()
    const view = await viewed(harness)
    const old = await instance(harness, 'a', 1)
    old.host.freeze()
    await harness.clock.advance(300)
    const next = harness.member()
    next.client.discovery().register({ name: 'mqtt', id: 'a', address: 'a', port: 2 }, { takeover: true })
    await harness.clock.advance(second)
    const atOnce = portsOf(view)
    // The old session ends, and then its process resumes.
    await harness.clock.advance(2 * sessionMs)
    const afterItsEnd = portsOf(view)
    old.host.thaw()
    await harness.clock.advance(2 * sessionMs)
    expect({ atOnce, afterItsEnd, afterItsReturn: portsOf(view) }).toEqual({
      atOnce: [2],
      afterItsEnd: [2],
      afterItsReturn: [2],
    })
    const owner = harness.ensemble.tree().get('/services/mqtt/a')?.stat.ephemeralOwner
    expect(owner).toBe(next.client.session?.id)
  })
})

async function viewed(harness: Harness): Promise<ServiceView> {
  const view = harness.member().client.discovery().service('mqtt')
  await harness.inTime(view.ready())
  return view
}

async function instance(harness: Harness, id: string, port: number): Promise<ReturnType<Harness['member']>> {
  const member = harness.member()
  const options = { takeover: true }
  const registration = member.client.discovery().register({ name: 'mqtt', id, address: id, port }, options)
  await harness.inTime(registration.ready())
  await harness.clock.advance(second)
  return member
}

function portsOf(view: ServiceView): readonly (number | undefined)[] {
  return view.all().map(({ port }) => port)
}
