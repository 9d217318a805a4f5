import type { Rule } from '@ha/testing/zookeeper'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Discovery } from '../../src/discovery/discovery.ts'
import type { ServiceView } from '../../src/discovery/service-view.ts'
import { type ClientHarness, openClientHarness } from '../client-harness.ts'
import { idsOf } from './instances.ts'

const noAuth = -102

const folder: Rule = {
  when: { op: ['get-children', 'get-children2'], path: '/services/mqtt' },
  do: 'refuse',
  code: noAuth,
}

describe('a view of a service whose folder may not be read', () => {
  let world: ClientHarness
  let discovery: Discovery

  beforeEach(async () => {
    world = await openClientHarness()
    discovery = world.client().discovery()
    world.client().discovery().register({ name: 'mqtt', id: 'a', address: 'a.local' })
    await world.clock.advance(1_000)
  })
  afterEach(() => world[Symbol.asyncDispose]())

  async function viewed(): Promise<ServiceView> {
    const view = discovery.service('mqtt')
    await world.clock.advance(1_000)
    return view
  }

  /** Another client registers, and the change is read. */
  async function another(id: string): Promise<void> {
    world
      .client()
      .discovery()
      .register({ name: 'mqtt', id, address: `${id}.local` })
    await world.clock.advance(1_000)
  }

  it('is not ready, and says why', async () => {
    world.ensemble.script(folder)
    const view = await viewed()
    const ready = view.ready({ timeoutMs: 500 })
    ready.catch(() => undefined)
    await world.clock.advance(500)
    await expect(ready).rejects.toMatchObject({ code: 'timed-out', cause: { code: 'no-auth' } })
    expect({ state: view.state, picked: view.pick() }).toEqual({ state: 'unread', picked: undefined })
  })

  it('is read as soon as it may be', async () => {
    const permit = world.ensemble.script(folder)
    const view = await viewed()
    permit()
    await world.clock.advance(6_000)
    expect({ state: view.state, seen: idsOf(view.all()) }).toEqual({ state: 'current', seen: ['a'] })
  })

  it('is stale from when the permission was lost, and serves what it knew', async () => {
    const view = await viewed()
    world.ensemble.script(folder)
    await another('b')
    expect({ state: view.state, stale: view.stale, seen: idsOf(view.all()) }).toEqual({
      state: 'stale',
      stale: true,
      seen: ['a'],
    })
  })

  it('gives its reason to the health', async () => {
    world.ensemble.script(folder)
    await viewed()
    expect(discovery.health().services).toMatchObject([{ name: 'mqtt', reason: { code: 'no-auth' } }])
  })

  it('is current without an instance that alone may not be read, whose reason is in the health', async () => {
    await another('b')
    world.ensemble.script({
      when: { op: 'get-data', path: '/services/mqtt/b' },
      do: 'refuse',
      code: noAuth,
    })
    const view = await viewed()
    expect({ state: view.state, seen: idsOf(view.all()) }).toEqual({ state: 'current', seen: ['a'] })
    expect(discovery.health().services).toMatchObject([{ reason: { code: 'no-auth' } }])
  })
})
