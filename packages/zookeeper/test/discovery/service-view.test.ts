import { settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { curatorCodec } from '../../src/discovery/curator-codec.ts'
import { Discovery } from '../../src/discovery/discovery.ts'
import type { Instance } from '../../src/discovery/instance.ts'
import type { ServiceChange } from '../../src/discovery/instance-list.ts'
import type { ServiceOptions } from '../../src/discovery/service-view.ts'
import type { Bytes } from '../../src/node.ts'
import { type FakeCache, FakeContext } from './fake-context.ts'
import { idsOf, instance } from './instances.ts'

const codec = curatorCodec()

function seeing(options: ServiceOptions = {}) {
  const context = new FakeContext()
  const view = new Discovery(context).service('mqtt', options)
  const cache = context.caches[0] as FakeCache<unknown>
  const { clock } = context
  const list = (ids: string, what: Partial<Instance> = {}): void => {
    cache.list(
      Object.fromEntries([...ids].map((id): [string, Bytes] => [id, codec.encode(instance(id, what))])),
    )
  }
  /** As {@link list}, and waits until the view has it. */
  const shown = async (ids: string, what?: Partial<Instance>): Promise<void> => {
    list(ids, what)
    await clock.advance(100)
  }
  return { context, clock, view, cache, list, shown, ids: () => idsOf(view.all()).join('') }
}

function picks(pick: () => Instance | undefined, times: number): readonly (string | undefined)[] {
  return Array.from({ length: times }, () => pick()?.id)
}

describe('a view of a service', () => {
  it('serves what is listed', async () => {
    const { shown, ids, view } = seeing()
    await shown('abc')
    expect({ ids: ids(), state: view.state, stale: view.stale }).toEqual({
      ids: 'abc',
      state: 'current',
      stale: false,
    })
  })

  it('is ready with the first list, though it is empty', async () => {
    const { view, clock, cache } = seeing()
    const ready = view.ready()
    cache.ageMs = 0
    cache.stale = false
    await clock.advance(0)
    await expect(ready).resolves.toBeUndefined()
    expect(view.state).toBe('current')
  })

  it('is not ready while nothing can be read', async () => {
    const { view, clock } = seeing()
    const ready = view.ready({ timeoutMs: 500 })
    ready.catch(() => undefined)
    await clock.advance(500)
    await expect(ready).rejects.toMatchObject({ code: 'timed-out' })
    expect({ state: view.state, picked: view.pick() }).toEqual({ state: 'unread', picked: undefined })
  })

  it('skips and counts what is no instance', async () => {
    const { view, cache, clock } = seeing()
    cache.list({ a: codec.encode(instance('a')), b: 'no instance', c: '' })
    await clock.advance(0)
    expect({ ids: idsOf(view.all()), undecodable: view.undecodable }).toEqual({ ids: ['a'], undecodable: 2 })
  })

  it('is asked for changes once for all that come together', async () => {
    const { view, list, clock, shown } = seeing()
    await shown('a')
    const told: ServiceChange[] = []
    const follow = async (): Promise<void> => {
      for await (const change of view.changes()) told.push(change)
    }
    const following = follow()
    for (const ids of ['ab', 'abc', 'bc', 'bcd']) {
      list(ids)
      await clock.advance(10)
    }
    await clock.advance(100)
    await view.close()
    await following
    expect(told.map(({ added, removed }) => [idsOf(added).join(''), idsOf(removed).join('')])).toEqual([
      ['a', ''],
      ['bcd', 'a'],
    ])
  })

  it('picks none that is out of service', async () => {
    const { view, shown } = seeing()
    await shown('ab', { status: 'out-of-service' })
    expect({ all: view.all().length, picked: view.pick() }).toEqual({ all: 2, picked: undefined })
  })

  it('leaves out those whose calls fail, until one call has succeeded', async () => {
    const { view, shown, clock } = seeing()
    await shown('abc')
    const b = view.all()[1]!
    for (let call = 0; call < 5; call += 1) view.report(b, 'error')
    expect(picks(() => view.pick(), 6)).not.toContain('b')
    await clock.advance(30_000)
    expect(picks(() => view.pick(), 9).filter((id) => id === 'b')).toEqual(['b'])
    view.report(b, 'ok')
    expect(picks(() => view.pick(), 9).filter((id) => id === 'b')).toHaveLength(3)
  })

  it('leaves out nobody for a few errors among thousands of calls', async () => {
    const { view, shown } = seeing()
    await shown('abc')
    const b = view.all()[1]!
    for (let call = 0; call < 5_000; call += 1) view.report(b, call % 500 === 0 ? 'error' : 'ok')
    view.report(b, 'error')
    expect(picks(() => view.pick(), 3)).toContain('b')
  })

  it('forgets what was reported of an instance that was started anew', async () => {
    const { view, shown } = seeing()
    await shown('abc')
    const b = view.all()[1]!
    for (let call = 0; call < 5; call += 1) view.report(b, 'error')
    await shown('abc', { registeredAtMs: 2_000 })
    expect(picks(() => view.pick(), 3)).toContain('b')
  })

  it.each(['least-connections', 'least-busy'] as const)(
    'takes the less busy ones by what was reported as begun: %s',
    async (strategy) => {
      const { view, shown } = seeing({ strategy })
      await shown('ab')
      const [a, b] = view.all()
      view.report(a!, 'begun')
      expect(new Set(picks(() => view.pick(), 20))).toEqual(new Set(['b']))
      view.report(a!, 'ok')
      view.report(b!, 'begun')
      expect(new Set(picks(() => view.pick(), 20))).toEqual(new Set(['a']))
    },
  )

  it('gives the same instance for the same key', async () => {
    const { view, shown } = seeing({ strategy: 'sticky' })
    await shown('abcdef')
    expect(new Set(picks(() => view.pick('client-7'), 10)).size).toBe(1)
  })

  it('can still be picked from when it is closed, and leaves no timer behind', async () => {
    const { view, shown, clock, cache } = seeing()
    await shown('ab')
    await view.close()
    await view.close()
    expect({ picked: view.pick() === undefined, timers: clock.pending, closed: cache.closed }).toEqual({
      picked: false,
      timers: 0,
      closed: true,
    })
  })

  it.each<[string, (bench: ReturnType<typeof seeing>) => unknown]>([
    ['it is closed', ({ view }) => view.close()],
    ['its client is closed', ({ context }) => context.closing.abort(new Error('the client is closed'))],
  ])('is stale once %s', async (_what, close) => {
    const bench = seeing()
    await bench.shown('ab')
    close(bench)
    const { view } = bench
    expect({ state: view.state, stale: view.stale }).toEqual({ state: 'stale', stale: true })
    await expect(view.ready()).rejects.toMatchObject({ code: 'closed', path: '/services/mqtt' })
  })
})

describe('a view whose registry is away', () => {
  it('serves the last list and says so, however long it takes, without doing anything', async () => {
    const { context, view, shown, ids, clock } = seeing()
    await shown('abc')
    context.disconnect()
    await settle()
    expect({ state: view.state, stale: view.stale }).toEqual({ state: 'stale', stale: true })
    expect(clock.pending).toBe(0)
    await clock.advance(600_000)
    expect({ ids: ids(), picked: view.pick() === undefined }).toEqual({ ids: 'abc', picked: false })
  })

  it('says so at once when the list cannot be read, though there is a connection, and looks at no clock', async () => {
    const { view, shown, cache, clock } = seeing()
    await shown('abc')
    cache.stale = true
    await settle()
    expect({ state: view.state, timers: clock.pending }).toEqual({ state: 'stale', timers: 0 })
  })

  it('says so at once while it gathers what changes', async () => {
    const { view, shown, list, cache, clock } = seeing({ coalesceMs: 60_000 })
    await shown('abc')
    list('abcd')
    await clock.advance(10)
    cache.stale = true
    await settle()
    expect({ state: view.state, timers: clock.pending }).toEqual({ state: 'stale', timers: 0 })
  })

  it('is current again when the registry is back, though nothing has changed', async () => {
    const { context, view, shown, cache, clock } = seeing()
    await shown('abc')
    context.disconnect()
    await clock.advance(1_000)
    expect(view.state).toBe('stale')
    cache.stale = false
    await clock.advance(100)
    expect(view.state).toBe('current')
  })

  it('is guarded when the registry comes back empty, and believes it only after a while', async () => {
    const { context, view, shown, ids, clock } = seeing()
    await shown('abc')
    context.disconnect()
    await settle()
    await shown('')
    expect({ state: view.state, stale: view.stale, ids: ids() }).toEqual({
      state: 'guarded',
      stale: true,
      ids: 'abc',
    })
    await clock.advance(15_100)
    expect({ state: view.state, ids: ids() }).toEqual({ state: 'current', ids: '' })
  })

  it('serves those who are back as soon as they are enough', async () => {
    const { context, view, shown, ids } = seeing()
    await shown('abcd')
    context.disconnect()
    await settle()
    await shown('a')
    expect(ids()).toBe('abcd')
    await shown('ab')
    expect({ state: view.state, ids: ids() }).toEqual({ state: 'current', ids: 'ab' })
  })

  it('believes an empty list when there was no outage', async () => {
    const { shown, ids } = seeing()
    await shown('abc')
    await shown('')
    expect(ids()).toBe('')
  })
})
