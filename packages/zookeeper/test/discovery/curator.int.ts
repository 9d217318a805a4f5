import { openLab } from '@ha/bootstrap'
import { until } from '@ha/core/testing'
import { createZookeeper, springCodec, type Zookeeper } from '@ha/zookeeper'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { CuratorPeer, fetchLibraries, hasJava } from './curator-peer.ts'

describe.skipIf(!hasJava())('services between us and peers in Java', () => {
  let connect: string
  let zookeeper: Zookeeper

  beforeAll(async () => {
    await fetchLibraries()
    connect = openLab(inject('lab')).url
    zookeeper = createZookeeper(connect)
    await zookeeper.ready()
  })
  afterAll(async () => {
    await zookeeper?.close()
  })

  async function withPeer(
    service: string,
    kind: 'plain' | 'spring',
    use: (peer: CuratorPeer) => Promise<void>,
  ): Promise<void> {
    const peer = await CuratorPeer.start(connect, service, kind)
    try {
      await use(peer)
    } finally {
      await peer.close()
    }
  }

  it('Curator reads what we register', () =>
    withPeer('plain-a', 'plain', async (peer) => {
      const registration = zookeeper.discovery().register({
        name: 'plain-a',
        id: 'ours',
        address: '10.0.0.1',
        port: 1883,
        metadata: { zone: 'a' },
      })
      await registration.ready()
      expect(await peer.list()).toEqual([
        {
          id: 'ours',
          address: '10.0.0.1',
          port: 1883,
          enabled: true,
          uri: 'http://10.0.0.1:1883',
          payload: { metadata: { zone: 'a' } },
        },
      ])
      await registration.close()
      expect(await peer.list()).toEqual([])
    }))

  it('Curator picks none that we have flagged', () =>
    withPeer('plain-b', 'plain', async (peer) => {
      const registration = zookeeper
        .discovery()
        .register({ name: 'plain-b', id: 'ours', address: '10.0.0.1' })
      await registration.ready()
      expect((await peer.pick()).id).toBe('ours')
      const drained = registration.drain(3_000)
      await expect.poll(async () => (await peer.list())[0]?.enabled).toBe(false)
      expect((await peer.pick()).id).toBeUndefined()
      await drained
    }))

  it('we read what Curator registers, and see it go', () =>
    withPeer('plain-c', 'plain', async (peer) => {
      const view = zookeeper.discovery().service('plain-c')
      await peer.register('theirs', 8080)
      await until('theirs is listed', () => view.all().length === 1)
      expect(view.pick()).toMatchObject({
        id: 'theirs',
        address: '10.9.9.9',
        port: 8080,
        status: 'up',
        uriSpec: '{scheme}://{address}:{port}',
        payload: { weight: 2 },
      })
      await peer.unregister()
      await until('theirs is gone', () => view.all().length === 0)
      await view.close()
    }))

  it('Spring Cloud reads what we register with its codec, and we what it registers', () =>
    withPeer('spring', 'spring', async (peer) => {
      const discovery = zookeeper.discovery({ codec: springCodec() })
      const registration = discovery.register({
        name: 'spring',
        id: 'ours',
        address: '10.0.0.1',
        metadata: { zone: 'a' },
      })
      await registration.ready()
      await peer.register('theirs', 8080)
      const listed = (await peer.list()).map(({ id, payload }) => ({ id, payload }))
      expect(listed).toContainEqual({
        id: 'ours',
        payload: { id: 'ours', name: 'spring', metadata: { zone: 'a' } },
      })
      const view = discovery.service('spring', { strategy: 'zone', zone: { name: 'java', atLeast: 1 } })
      await until('both are listed', () => view.all().length === 2)
      expect(view.pick()).toMatchObject({ id: 'theirs', metadata: { zone: 'java' } })
      await discovery.close()
    }))
})
