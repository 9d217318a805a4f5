import { isHaError } from '@ha/core'
import { describe, expect, it } from 'vitest'
import { repeatedly } from './load.ts'
import { idsOf, openWorld } from './world.ts'

const second = 1_000
const minute = 60 * second

describe('Z8: the ensemble is away for ten minutes', () => {
  it('serves the last good list, says that it is stale, and gathers neither timers nor calls', {
    timeout: 60_000,
  }, async () => {
    await using world = await openWorld()
    const owner = world.member().client
    for (const id of ['a', 'b', 'c']) owner.discovery().register({ name: 'mqtt', id, address: id })
    const { client } = world.member({ maxOperations: 10 })
    const view = client.discovery().service('mqtt')
    await world.clock.advance(2 * second)
    for (const node of world.ensemble.nodes) await node.kill()
    const load = repeatedly(world.clock, 100, () => client.get('/x', { timeoutMs: 2 * second }))
    await world.clock.advance(10 * second)
    const early = { timers: world.clock.pending, dials: world.ensemble.accepted }
    let emptyPicks = 0
    let mostTimers = 0
    let mostOperations = 0
    for (let passed = 0; passed < 10 * minute; passed += second) {
      await world.clock.advance(second)
      if (view.pick() === undefined) emptyPicks += 1
      mostTimers = Math.max(mostTimers, world.clock.pending)
      mostOperations = Math.max(mostOperations, client.health().operations)
    }
    const away = { ids: idsOf(view), stale: view.stale }
    const settled = await load.end()

    expect(away).toEqual({ ids: ['a', 'b', 'c'], stale: true })
    expect({ emptyPicks, mostOperations }).toEqual({ emptyPicks: 0, mostOperations: 10 })
    expect(mostTimers).toBeLessThanOrEqual(early.timers + 10)
    // What would have been one too many is refused at once, the others have their deadline.
    expect(new Set(settled.map(({ error }) => isHaError(error) && error.code))).toEqual(
      new Set(['exhausted', 'timed-out']),
    )
    for (const node of world.ensemble.nodes) await node.start()
    await world.clock.advance(20 * second)
    expect({ ids: idsOf(view), stale: view.stale }).toEqual({ ids: ['a', 'b', 'c'], stale: false })
  })
})
