import { describe, expect, it } from 'vitest'
import { type FakeClusterOptions, startFakeCluster } from '../../src/rabbit/index.ts'
import { client } from './client.ts'

describe('the options of a fake cluster', () => {
  const wrong: readonly { options: object; says: string }[] = [
    { options: { node: 3 }, says: "fakeCluster.node: there is no such option; did you mean 'nodes'?" },
    { options: { nodes: 0 }, says: 'fakeCluster.nodes: expected a whole number from 1 to 64, got 0' },
    {
      options: { heartbeatSec: 1.5 },
      says: 'fakeCluster.heartbeatSec: expected a whole number from 0 to 65535, got 1.5',
    },
    {
      options: { frameMaxBytes: 100 },
      says: 'fakeCluster.frameMaxBytes: expected a whole number from 4096 to 2147483648, got 100',
    },
    {
      options: {
        users: { bob: { password: '', permissions: { '/': { configure: '(', write: '', read: '' } } } },
      },
      says: "fakeCluster.users.bob.permissions['/'].configure: expected a regular expression, got '('",
    },
  ]
  it.each(wrong)('refuse $options: $says', async ({ options, says }) => {
    await expect(startFakeCluster(options as FakeClusterOptions)).rejects.toThrow(says)
  })

  it('say which version the nodes are', async () => {
    await using cluster = await startFakeCluster({ version: '4.2.0' })
    const { model } = await client(cluster)
    expect(model.connection.serverProperties).toMatchObject({ product: 'RabbitMQ', version: '4.2.0' })
  })

  it('say what the nodes propose', async () => {
    await using cluster = await startFakeCluster({ heartbeatSec: 7, frameMaxBytes: 8_192, channelMax: 5 })
    await client(cluster)
    const [tune] = cluster.log.entries({ frame: 'connection.tune' })
    expect(tune?.fields).toEqual({ heartbeat: 7, frameMax: 8_192, channelMax: 5 })
  })

  it('hold the nodes to the frames that a client agreed to', async () => {
    await using cluster = await startFakeCluster()
    const [wide, narrow] = [await client(cluster), await client(cluster, '?frameMax=4096')]
    await wide.channel.assertQueue('q')
    wide.channel.sendToQueue('q', Buffer.alloc(10_000))
    await wide.channel.waitForConfirms()
    await narrow.channel.get('q')
    const bodies = cluster.log.entries({ from: 'server', frame: 'content-body' })
    expect(bodies.map(({ fields }) => fields['bytes'])).toEqual([4_088, 4_088, 1_824])
  })

  it('name a node that is not there', async () => {
    await using cluster = await startFakeCluster({ nodes: 3 })
    expect(() => cluster.node(4)).toThrow('there is no node 4: the cluster has 1 to 3')
  })
})
