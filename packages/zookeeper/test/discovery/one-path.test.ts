import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import type { Registration } from '../../src/discovery/registration.ts'
import { type ClientHarness, openClientHarness } from '../client-harness.ts'

const path = '/services/mqtt/a'

describe('one path of one client', () => {
  let world: ClientHarness
  let zk: Zookeeper

  beforeEach(async () => {
    world = await openClientHarness()
    zk = world.client()
  })
  afterEach(() => world[Symbol.asyncDispose]())

  // Two independent discoveries.
  const register = (warmupMs = 0): Registration =>
    zk.discovery().register({ name: 'mqtt', id: 'a', address: 'a.local' }, { warmupMs })
  const taken = expect.objectContaining({ name: 'ZookeeperError', code: 'config-invalid', path })

  it.each<[string, () => unknown, () => unknown]>([
    ['is not registered twice', () => register(), () => register()],
    ['is not registered twice while the first one warms up', () => register(5_000), () => register()],
    ['is not registered where an ephemeral is', () => zk.ephemeral(path, ''), () => register()],
    ['holds no ephemeral where it is registered', () => register(5_000), () => zk.ephemeral(path, '')],
  ])('%s', async (_what, first, second) => {
    first()
    expect(second).toThrow(taken)
    await world.clock.advance(1_000)
    expect(second).toThrow(taken)
  })

  it('is registered again by whoever hears that it is closed', async () => {
    const before = register()
    await world.clock.advance(1_000)
    let again: Registration | undefined
    before.events.on('state', ({ kind }) => {
      if (kind === 'closed') again = register()
    })
    const closing = before.close()
    await world.clock.advance(1_000)
    await closing
    expect(again?.state.kind).toBe('registered')
  })

  it('has room for what the servers give a number', async () => {
    register()
    const numbered = zk.ephemeral(path, '', { sequential: true })
    await world.clock.advance(1_000)
    expect(numbered.state.kind).toBe('held')
  })

  it('is registered again once it was closed, and also when it was never listed', async () => {
    for (const warmupMs of [0, 5_000]) {
      const before = register(warmupMs)
      await world.clock.advance(1_000)
      const closing = before.close()
      const again = register()
      await world.clock.advance(1_000)
      await closing
      expect(again.state.kind).toBe('registered')
      await Promise.all([again.close(), world.clock.advance(1_000)])
    }
  })
})
