import { once } from 'node:events'
import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { startFakeCluster } from '../../src/rabbit/index.ts'
import { client, consume, send } from './client.ts'
import { contentHeader, openChannel, openRawClient, publish } from './raw-client.ts'

describe('a fake broker that runs short of something', () => {
  it.each(['memory', 'disk'] as const)(
    'holds off whoever publishes, on any node: low on %s',
    async (alarm) => {
      await using cluster = await startFakeCluster({ nodes: 2 })
      const { model, channel } = await client(cluster.node(2))
      cluster.raiseAlarm(alarm)
      const blocked = once(model, 'blocked')
      void send(channel, 'q', 'a')
      expect(await blocked).toEqual([`low on ${alarm}`])
      expect(cluster.connections).toMatchObject([{ node: 2, isBlocked: true }])
    },
  )

  it('leaves alone who does not publish', async () => {
    await using cluster = await startFakeCluster()
    const [publisher, consumer] = [await client(cluster), await client(cluster)]
    await consumer.channel.assertQueue('q')
    await send(publisher.channel, 'q', 'a')
    cluster.raiseAlarm()
    const inbox = await consume(consumer.channel, 'q')
    expect(await inbox.until(1)).toEqual(['a'])
    expect(cluster.connections.map(({ isBlocked }) => isBlocked)).toEqual([false, false])
  })

  it('tells nothing of it to a client that did not ask to hear it, and holds it off', async () => {
    await using cluster = await startFakeCluster()
    const raw = await openRawClient(cluster.url)
    cluster.raiseAlarm()
    raw.say(openChannel(1), publish(''), contentHeader(0))
    await cluster.log.until({ from: 'client', frame: 'basic.publish' })
    expect(cluster.log.entries({ from: 'server', frame: 'connection.blocked' })).toEqual([])
    expect(cluster.connections).toMatchObject([{ isBlocked: true }])
  })

  it('answers nothing on a connection that it holds off, and everything when the alarm is over', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel } = await client(cluster)
    await channel.assertQueue('q')
    cluster.raiseAlarm()
    const answers = [
      send(channel, 'q', 'a'),
      channel.checkQueue('q').then(({ messageCount }) => messageCount),
    ]
    await once(model, 'blocked')
    expect(cluster.queue('q')).toMatchObject({ ready: 0 })
    const unblocked = once(model, 'unblocked')
    cluster.clearAlarm()
    await unblocked
    expect(await Promise.all(answers)).toEqual(['ack', 1])
  })

  it('goes on only when the last alarm is over', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel } = await client(cluster)
    cluster.raiseAlarm('memory')
    cluster.raiseAlarm('disk')
    void send(channel, 'q', 'a')
    await once(model, 'blocked')
    cluster.clearAlarm('memory')
    expect(cluster.connections).toMatchObject([{ isBlocked: true }])
    cluster.clearAlarm('disk')
    expect(cluster.connections).toMatchObject([{ isBlocked: false }])
  })

  it('goes on beating for a client that it holds off, and does not take it for dead', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const { model, channel } = await client(cluster, '?heartbeat=10')
    cluster.raiseAlarm()
    void send(channel, 'q', 'a')
    await once(model, 'blocked')
    await clock.advance(60_000)
    expect(cluster.connections).toMatchObject([{ isBlocked: true }])
    expect(cluster.log.entries({ from: 'server', frame: 'heartbeat' }).length).toBeGreaterThan(10)
  })
})
