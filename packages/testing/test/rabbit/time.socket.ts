import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { startFakeCluster } from '../../src/rabbit/index.ts'
import { client, consume, send } from './client.ts'
import { frame, greeting, method, open, openRawClient, rawClient, startOk, tuneOk } from './raw-client.ts'

describe('as time goes by, a fake broker', () => {
  it('closes the channel of a client that keeps a message for too long', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock, consumerTimeoutMs: 1_000 })
    const { channel, refused } = await client(cluster)
    await channel.assertQueue('q')
    await send(channel, 'q', 'a')
    await (await consume(channel, 'q')).until(1)
    await clock.advance(1_000)
    expect(await refused).toMatchObject({
      code: 406,
      message: expect.stringContaining(
        'PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1000 ms. ' +
          'This timeout value can be configured, see consumers doc guide to learn more',
      ),
    })
    expect(cluster.queue('q')).toMatchObject({ ready: 1, unacked: 0, consumers: 0 })
  })

  it('leaves the channel of a client alone that answers each message in time', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock, consumerTimeoutMs: 1_000 })
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    const inbox = await consume(channel, 'q')
    for (const [i, text] of ['a', 'b', 'c'].entries()) {
      await send(channel, 'q', text)
      await inbox.until(i + 1)
      await clock.advance(900)
      channel.ack(inbox.messages[i]!)
      await channel.checkQueue('q')
    }
    expect(cluster.queue('q')).toMatchObject({ ready: 0, unacked: 0, consumers: 1 })
  })

  it('drops a message that outlives its queue, and only when it stands at the front', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    for (const expiration of [500, 100, 900]) channel.sendToQueue('q', Buffer.from('x'), { expiration })
    await channel.waitForConfirms()
    const counts: unknown[] = []
    for (const ms of [450, 100, 400]) {
      await clock.advance(ms)
      counts.push(cluster.queue('q')?.ready)
    }
    expect(counts).toEqual([3, 1, 0])
  })

  it('forgets with a queue what somebody still holds of it', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const { model, channel } = await client(cluster, '?heartbeat=0')
    const holder = await model.createChannel()
    await channel.assertQueue('q', { messageTtl: 1_000 })
    await send(channel, 'q', 'a')
    await holder.get('q')
    await channel.deleteQueue('q')
    await holder.close()
    expect(clock.pending).toBe(0)
  })

  it('sends a heartbeat after half an interval in which it had nothing else to say', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    await heartbeatClient(cluster.url, 2)
    const beats: number[] = []
    for (const ms of [999, 1, 1_000, 1_000]) {
      await clock.advance(ms)
      beats.push(cluster.log.entries({ from: 'server', frame: 'heartbeat' }).length)
    }
    expect(beats).toEqual([0, 0, 1, 2])
  })

  it('cuts off a client that it has not heard for two whole intervals', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const raw = await heartbeatClient(cluster.url, 2)
    await clock.advance(3_999)
    expect(cluster.connections.length).toBe(1)
    await clock.advance(1)
    expect(cluster.connections).toEqual([])
    await raw.closed
  })

  it('keeps a client that beats', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const raw = await heartbeatClient(cluster.url, 2)
    for (let i = 1; i <= 5; i++) {
      await clock.advance(1_900)
      raw.say(frame(8, 0, Buffer.alloc(0)))
      await cluster.log.until({ from: 'client', frame: 'heartbeat' }, { count: i })
    }
    expect(cluster.connections.length).toBe(1)
  })

  it('does not take a client for dead while it is frozen itself', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    await heartbeatClient(cluster.url, 2)
    cluster.node(1).freeze()
    await clock.advance(30_000)
    cluster.node(1).thaw()
    expect(cluster.connections.length).toBe(1)
  })

  const unfit: readonly { what: string; words: readonly Buffer[] }[] = [
    { what: 'speaks in a mechanism that it does not know', words: [startOk('\0guest\0guest', 'FOO')] },
    { what: 'gives no password', words: [startOk('guest')] },
    {
      what: 'wants more channels than there are',
      words: [startOk('\0guest\0guest'), tuneOk(5_000, 4_096, 0)],
    },
    { what: 'wants any number of channels', words: [startOk('\0guest\0guest'), tuneOk(0, 4_096, 0)] },
    {
      what: 'wants longer frames than there are',
      words: [startOk('\0guest\0guest'), tuneOk(10, 200_000, 0)],
    },
    {
      what: 'wants shorter frames than there may be',
      words: [startOk('\0guest\0guest'), tuneOk(10, 100, 0)],
    },
    { what: 'does not wait to be asked', words: [open('/')] },
  ]
  it.each(unfit)(
    'hangs up after three seconds, without a word, on a client that $what',
    async ({ words }) => {
      const clock = new FakeClock()
      await using cluster = await startFakeCluster({ clock })
      const raw = await rawClient(cluster.url)
      raw.say(greeting, ...words)
      await cluster.log.until({ from: 'client' }, { count: 1 + words.length })
      await clock.advance(3_000)
      await raw.closed
      expect(cluster.log.entries({ from: 'server', frame: 'connection.close' })).toEqual([])
    },
  )

  it('hangs up at once on a client that confirms the end of its connection', async () => {
    await using cluster = await startFakeCluster({ clock: new FakeClock() })
    const raw = await openRawClient(cluster.url)
    cluster.closeConnection(1)
    await raw.refusal()
    raw.say(method(0, 10, 51))
    await raw.closed
  })

  it('leaves a client that does not confirm the end of its connection after half a minute', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const raw = await openRawClient(cluster.url)
    cluster.closeConnection(1)
    expect(await raw.refusal()).toBe(
      'connection 320 for 0.0: CONNECTION_FORCED - Closed via management plugin',
    )
    await clock.advance(30_000)
    await raw.closed
  })
})

async function heartbeatClient(url: string, heartbeatSec: number): ReturnType<typeof rawClient> {
  const raw = await rawClient(url)
  raw.say(greeting)
  await raw.next()
  raw.say(startOk('\0guest\0guest'))
  await raw.next()
  raw.say(tuneOk(10, 4096, heartbeatSec), open('/'))
  await raw.next()
  return raw
}
