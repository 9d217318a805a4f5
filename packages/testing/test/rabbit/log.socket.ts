import { describe, expect, it } from 'vitest'
import { startFakeCluster } from '../../src/rabbit/index.ts'
import { client, send } from './client.ts'

describe('the log of a fake cluster', () => {
  it('has every frame in order, with who sent it and where', async () => {
    await using cluster = await startFakeCluster({ nodes: 2 })
    const { channel } = await client(cluster.node(2))
    await channel.assertQueue('q', { maxLength: 5 })
    cluster.log.clear()
    await send(channel, 'q', 'hello')
    const seen = cluster.log
      .entries()
      .map(({ from, node, connection, channel: on, frame }) => [from, node, connection, on, frame])
    expect(seen).toEqual([
      ['client', 2, 1, 1, 'basic.publish'],
      ['client', 2, 1, 1, 'content-header'],
      ['client', 2, 1, 1, 'content-body'],
      ['server', 2, 1, 1, 'basic.ack'],
    ])
  })

  it('has the fields of methods as plain values', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q', { maxLength: 5 })
    const [declare] = cluster.log.entries({ frame: 'queue.declare' })
    expect(declare?.fields).toMatchObject({ queue: 'q', durable: true, arguments: { 'x-max-length': 5 } })
  })

  it('keeps no password', async () => {
    await using cluster = await startFakeCluster()
    await client(cluster)
    expect(JSON.stringify(cluster.log.entries())).not.toContain('\\u0000guest')
  })

  it('waits for frames that have not been seen yet, and says what it missed', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    const acks = cluster.log.until({ frame: 'basic.ack' }, { count: 2 })
    await send(channel, 'q', 'a')
    await send(channel, 'q', 'b')
    expect((await acks).length).toBe(2)
    await expect(cluster.log.until({ frame: 'basic.nack' }, { timeoutMs: 10 })).rejects.toMatchObject({
      code: 'timed-out',
      message: '0 of 1 frames {"frame":"basic.nack"} within 10 ms',
    })
  })

  it('forgets the oldest when there are too many, and counts them', async () => {
    await using cluster = await startFakeCluster({ logEntries: 10 })
    const { channel } = await client(cluster)
    for (let i = 0; i < 20; i++) await send(channel, 'q', 'a')
    const { log } = cluster
    expect(log.entries().length).toBeLessThanOrEqual(20)
    expect(log.entries().length + log.forgotten).toBe(7 + 4 + 20 * 4)
    expect(log.entries().at(-1)?.frame).toBe('basic.ack')
  })
})
