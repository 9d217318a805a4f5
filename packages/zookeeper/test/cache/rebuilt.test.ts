import type { Connect } from '@ha/core/driver'
import { FakeClock, seededRandom } from '@ha/core/testing'
import { startFakeEnsemble } from '@ha/testing/zookeeper'
import { describe, expect, it } from 'vitest'
import { Zookeeper } from '../../src/client.ts'
import { resolveZookeeperOptions } from '../../src/options.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'

describe('a cache in a new session', () => {
  it('believes an ensemble that was made anew and counts from the beginning', async () => {
    const clock = new FakeClock()
    const options = { tickTimeMs: 200, clock, listens: false } as const
    await using old = await startFakeEnsemble(options)
    await using anew = await startFakeEnsemble(options)
    let ensemble = old
    const dial: Connect = ({ port }, signal) => {
      const index = old.endpoints.findIndex((endpoint) => endpoint.port === port)
      return ensemble.dial(ensemble.endpoints[index]!, signal)
    }
    const resolved = resolveZookeeperOptions({ connect: old.connectString, sessionTimeoutMs: 4_000 })
    const zk = new Zookeeper(resolved, { clock, random: seededRandom(1), dial })
    await settledWithin(clock, 1_000, zk.create('/a', 'old'))
    for (let i = 0; i < 20; i++) await settledWithin(clock, 1_000, zk.set('/a', `old ${i}`))
    const cache = zk.cache('/a')
    await settledWithin(clock, 1_000, cache.ready())
    ensemble = anew
    for (const node of old.nodes) node.kill()
    const other = new Zookeeper(resolved, { clock, random: seededRandom(2), dial })
    await settledWithin(clock, 5_000, other.create('/a', 'new'))
    await clock.advance(10_000)
    expect(cache.get('/a')?.value.toString()).toBe('new')
    expect(cache.stale).toBe(false)
    await settledWithin(clock, 5_000, Promise.all([zk.close(), other.close()]))
  })

  it('has an age that does not grow while the server answers', async () => {
    await using world = await openClientHarness()
    const { clock } = world
    const zk = world.client()
    await settledWithin(clock, 1_000, zk.ready())
    await settledWithin(clock, 1_000, zk.create('/a', 'one'))
    const cache = zk.cache('/a')
    await settledWithin(clock, 1_000, cache.ready())
    await clock.advance(600_000)
    expect(cache.ageMs).toBeLessThan(4_000)
  })
})

describe('a client that is closed', () => {
  it('keeps no node any more, and says so', async () => {
    await using world = await openClientHarness()
    const { clock } = world
    const zk = world.client()
    await settledWithin(clock, 1_000, zk.ready())
    await settledWithin(clock, 3_000, zk.close())
    expect(() => zk.ephemeral('/e', 'x')).toThrow('closed')
    expect(() => zk.discovery().register({ name: 'a', address: 'b' })).toThrow('closed')
  })
})
