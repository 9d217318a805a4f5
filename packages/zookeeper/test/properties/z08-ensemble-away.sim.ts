import { isHaError } from '@ha/core'
import { describe, expect, it } from 'vitest'
import { idsOf, openHarness } from '../harness.ts'
import { repeatedly } from './load.ts'

const second = 1_000
const minute = 60 * second

describe('Z8: the ensemble is away for ten minutes', () => {
  it('serves the last good list, says that it is stale, and gathers neither timers nor calls', {
    timeout: 60_000,
  }, async () => {
    await using harness = await openHarness()
    const owner = harness.member().client
    for (const id of ['a', 'b', 'c']) owner.discovery().register({ name: 'mqtt', id, address: id })
    const { client } = harness.member({ maxOperations: 10 })
    const view = client.discovery().service('mqtt')
    await harness.clock.advance(2 * second)
    for (const node of harness.ensemble.nodes) await node.kill()
    const load = repeatedly(harness.clock, 100, () => client.get('/x', { timeoutMs: 2 * second }))
    await harness.clock.advance(10 * second)
    const early = { timers: harness.clock.pending, dials: harness.ensemble.accepted }
    let emptyPicks = 0
    let mostTimers = 0
    let mostOperations = 0
    for (let passed = 0; passed < 10 * minute; passed += second) {
      await harness.clock.advance(second)
      if (view.pick() === undefined) emptyPicks += 1
      mostTimers = Math.max(mostTimers, harness.clock.pending)
      mostOperations = Math.max(mostOperations, client.health().operations)
    }
    const away = { ids: idsOf(view), stale: view.stale }
    const settled = await load.end()

    expect(away).toEqual({ ids: ['a', 'b', 'c'], stale: true })
    expect({ emptyPicks, mostOperations }).toEqual({ emptyPicks: 0, mostOperations: 10 })
    expect(mostTimers).toBeLessThanOrEqual(early.timers + 10)
    // Calls above the limit are refused at once, the others end by their deadline.
    expect(new Set(settled.map(({ error }) => isHaError(error) && error.code))).toEqual(
      new Set(['exhausted', 'timed-out']),
    )
    for (const node of harness.ensemble.nodes) await node.start()
    await harness.clock.advance(20 * second)
    expect({ ids: idsOf(view), stale: view.stale }).toEqual({ ids: ['a', 'b', 'c'], stale: false })
  })
})
