import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import type { ServiceOptions, ServiceView } from '../../src/discovery/service-view.ts'
import { type ClientHarness, openClientHarness } from '../client-harness.ts'
import { idsOf } from './instances.ts'

const second = 1_000
const minute = 60 * second

describe('discovery on an ensemble', () => {
  let all: ClientHarness
  let reader: Zookeeper
  let view: ServiceView

  beforeEach(async () => {
    all = await openClientHarness()
    reader = all.client()
    view = await viewed()
  })
  afterEach(() => all[Symbol.asyncDispose]())

  async function viewed(options?: ServiceOptions): Promise<ServiceView> {
    const opened = reader.discovery().service('mqtt', options)
    await all.clock.advance(second)
    return opened
  }

  /** Instances with a client of their own each. */
  async function registered(...ids: readonly string[]) {
    const owners = ids.map((id) => {
      const zookeeper = all.client({ backoff: { maxMs: 5_000 } })
      const registration = zookeeper.discovery().register({ name: 'mqtt', id, address: `${id}.local` })
      return { zookeeper, registration }
    })
    await all.clock.advance(second)
    return owners
  }

  function takeAway(): void {
    for (const node of all.ensemble.nodes) node.kill()
  }

  function bringBack(): void {
    for (const node of all.ensemble.nodes) node.start()
  }

  const seen = (): string => idsOf(view.all()).join('')
  const writesTo = (path: string): number =>
    all.ensemble.history().filter(({ changes }) => changes.some((change) => change.path === path)).length

  it('shows an instance that registers to who follows the service', async () => {
    await registered('a', 'b')
    expect({ seen: seen(), state: view.state }).toEqual({ seen: 'ab', state: 'current' })
    expect(view.pick()?.address).toMatch(/^[ab]\.local$/)
  })

  it('drops an instance that closes within 250 ms', async () => {
    const [a] = await registered('a', 'b')
    const closed = a!.registration.close()
    await all.clock.advance(250)
    await closed
    expect(seen()).toBe('b')
  })

  it('withdraws an instance whose checks fail, once, while it flaps, and keeps its session', async () => {
    const zookeeper = all.client()
    let well = true
    const health = { check: () => well, intervalMs: 500, failures: 3, successes: 2, minDwellMs: 10 * second }
    zookeeper.discovery().register({ name: 'mqtt', id: 'a', address: 'a.local' }, { health })
    await all.clock.advance(second)
    const session = zookeeper.session?.id
    well = false
    await all.clock.advance(3 * 500 + 200)
    expect(seen()).toBe('')
    for (let flap = 0; flap < 60; flap += 1) {
      well = !well
      await all.clock.advance(second)
    }
    expect({ writes: writesTo('/services/mqtt/a'), session: zookeeper.session?.id }).toEqual({
      writes: 2,
      session,
    })
    well = true
    await all.clock.advance(12 * second)
    expect({ seen: seen(), writes: writesTo('/services/mqtt/a') }).toEqual({ seen: 'a', writes: 3 })
  })

  it('takes off the list, once the ensemble is back, what has failed while it was away', async () => {
    const zookeeper = all.client()
    let well = true
    const health = { check: () => well, intervalMs: 500, failures: 2 }
    zookeeper.discovery().register({ name: 'mqtt', id: 'a', address: 'a.local' }, { health })
    await registered('b')
    takeAway()
    await all.clock.advance(second)
    well = false
    await all.clock.advance(2 * second)
    bringBack()
    await all.clock.advance(20 * second)
    expect(seen()).toBe('b')
  })

  it('is over with its client, and leaves no timer behind', async () => {
    const [a] = await registered('a')
    const closing = Promise.all([a!.zookeeper.close(), reader.close()])
    await all.clock.advance(2 * second)
    await closing
    expect(a!.registration.state.kind).toBe('closed')
    await all.ensemble.close()
    expect(all.clock.pending).toBe(0)
  })

  it('registers again in the next session', async () => {
    const [a] = await registered('a')
    const before = a!.zookeeper.session!.id
    all.ensemble.expire(before)
    await all.clock.advance(5 * second)
    expect({ seen: seen(), state: a!.registration.state.kind }).toEqual({ seen: 'a', state: 'registered' })
    expect(a!.zookeeper.session!.id).not.toBe(before)
  })

  it('waits for the end of another one with the same id', async () => {
    const [first] = await registered('a')
    const [other] = await registered('a')
    expect(other!.registration.state).toMatchObject({ kind: 'pending', reason: { code: 'instance-taken' } })
    const closed = first!.registration.close()
    await all.clock.advance(second)
    await closed
    expect(other!.registration.state.kind).toBe('registered')
  })

  it('takes the place of an earlier life of its own, which does not come back', async () => {
    const [first] = await registered('a')
    const discovery = all.client().discovery()
    const again = discovery.register({ name: 'mqtt', id: 'a', address: 'new.local' }, { takeover: true })
    await all.clock.advance(second)
    expect(again.state.kind).toBe('registered')
    const closed = first!.registration.close()
    await all.clock.advance(minute)
    await closed
    expect(view.all().map(({ address }) => address)).toEqual(['new.local'])
  })

  it('goes on serving while the ensemble is away, and all are back soon after it is', async () => {
    await registered('a', 'b')
    takeAway()
    await all.clock.advance(second)
    expect({ state: view.state, stale: view.stale }).toEqual({ state: 'stale', stale: true })
    for (let minutes = 0; minutes < 5; minutes += 1) {
      await all.clock.advance(minute)
      expect(seen()).toBe('ab')
      expect(view.pick()).toBeDefined()
    }
    bringBack()
    await all.clock.advance(10 * second)
    expect({ seen: seen(), state: view.state }).toEqual({ seen: 'ab', state: 'current' })
  })

  it('never shows less than its share of the list when all instances lose their sessions in an outage', async () => {
    expect(await fewestAfterOutage({ graceMs: 15_000 })).toBeGreaterThanOrEqual(2)
  })

  it('would show next to nothing then without its guard', async () => {
    expect(await fewestAfterOutage({ graceMs: 0 })).toBeLessThan(2)
  })

  async function fewestAfterOutage(guard: ServiceOptions['panicThreshold']): Promise<number> {
    const guarded = await viewed({ panicThreshold: guard })
    const owners = await registered('a', 'b', 'c')
    const sessions = owners.map(({ zookeeper }) => zookeeper.session!.id)
    takeAway()
    await all.clock.advance(second)
    bringBack()
    for (const session of sessions) all.ensemble.expire(session)
    const fewest = await fewestIn(guarded, 20 * second)
    expect({ ids: idsOf(guarded.all()), state: guarded.state }).toEqual({
      ids: ['a', 'b', 'c'],
      state: 'current',
    })
    return fewest
  }

  async function fewestIn(list: ServiceView, forMs: number): Promise<number> {
    let least = Number.POSITIVE_INFINITY
    for (let atMs = 0; atMs < forMs; atMs += 20) {
      await all.clock.advance(20)
      least = Math.min(least, list.all().length)
    }
    return least
  }

  it.each([
    ['reads the list a few times', 100, 2, 8],
    ['would read it for each of them without gathering', 0, 20, 40],
  ])('%s when many instances start anew, one after the other', async (_, coalesceMs, least, most) => {
    const owners = await registered(...Array.from({ length: 20 }, (_none, at) => `i${at}`))
    await view.close()
    const gathering = await viewed({ coalesceMs })
    all.ensemble.log.clear()
    for (const { zookeeper } of owners) {
      all.ensemble.expire(zookeeper.session!.id)
      await all.clock.advance(10)
    }
    await all.clock.advance(second)
    const readings = (op: 'get-children2' | 'get-data'): number =>
      all.ensemble.log.count({ session: reader.session!.id, op, path: /^\/services\/mqtt/ })
    expect(gathering.all()).toHaveLength(20)
    expect(readings('get-data')).toBe(20)
    expect(readings('get-children2')).toBeGreaterThanOrEqual(least)
    expect(readings('get-children2')).toBeLessThanOrEqual(most)
  })
})
