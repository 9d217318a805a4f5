import { FakeClock } from '@ha/core/testing'
import { type ChannelModel, connect } from 'amqplib'
import { describe, expect, it } from 'vitest'
import { type Rule, startFakeCluster } from '../../src/rabbit/index.ts'
import { client, consume, send } from './client.ts'
import { greeting, rawClient } from './raw-client.ts'

const whenPublish = { from: 'client', frame: 'basic.publish' } as const
const whenDeclare = { from: 'client', frame: 'queue.declare' } as const
const whenAck = { from: 'server', frame: 'basic.ack' } as const

// A client with a queue and four messages on their way to it: the words on them in the order in which they came.
async function words(...rules: readonly Rule[]): Promise<readonly string[]> {
  await using cluster = await startFakeCluster()
  const { channel } = await client(cluster)
  await channel.assertQueue('q')
  cluster.script(...rules)
  const order: string[] = []
  await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (text) => order.push(`${await send(channel, 'q', text)} ${text}`)),
  )
  return order
}

// When it is over, everything that the broker said before on this connection has arrived.
async function roundTrip(model: ChannelModel): Promise<void> {
  const channel = await model.createChannel()
  await channel.close()
}

describe('a fake broker that is told to misbehave', () => {
  it('nacks the messages that it shall, and does not keep them', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: { ...whenPublish, skip: 1, times: 1 }, do: 'nack' })
    const told = [await send(channel, 'q', 'a'), await send(channel, 'q', 'b'), await send(channel, 'q', 'c')]
    expect(told).toEqual(['ack', 'nack', 'ack'])
    expect(cluster.queue('q')).toMatchObject({ ready: 2 })
  })

  it('confirms out of order', async () => {
    const order = await words({ when: whenPublish, do: 'batch-confirms', size: 4, as: 'reversed' })
    expect(order).toEqual(['ack d', 'ack c', 'ack b', 'ack a'])
  })

  it('confirms many at once', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: whenPublish, do: 'batch-confirms', size: 4, as: 'multiple' })
    await Promise.all(['a', 'b', 'c', 'd'].map((text) => send(channel, 'q', text)))
    const acks = cluster.log.entries({ from: 'server', frame: 'basic.ack' })
    expect(acks.map(({ fields }) => fields)).toEqual([{ deliveryTag: 4, multiple: true }])
  })

  it('keeps messages and never confirms them', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: { ...whenPublish, times: 1 }, do: 'lose-confirm' })
    void send(channel, 'q', 'a').catch(() => undefined)
    await send(channel, 'q', 'b')
    const acks = cluster.log.entries(whenAck)
    expect(acks.map(({ fields }) => fields)).toEqual([{ deliveryTag: 2, multiple: false }])
    expect(cluster.queue('q')).toMatchObject({ ready: 2 })
  })

  it('holds confirms until they are released, in order', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel } = await client(cluster)
    await channel.assertQueue('q')
    const remove = cluster.script({ when: whenAck, do: 'hold', until: 'confirms' })
    const confirms = [send(channel, 'q', 'a'), send(channel, 'q', 'b')]
    await cluster.log.until({ from: 'client', frame: 'content-body' }, { count: 2 })
    await roundTrip(model)
    expect(cluster.log.entries(whenAck)).toEqual([])
    remove()
    cluster.release('confirms')
    expect(await Promise.all(confirms)).toEqual(['ack', 'ack'])
  })

  it('holds what comes after a release until the next one', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel } = await client(cluster)
    cluster.script({ when: whenAck, do: 'hold', until: 'confirms' })
    const first = send(channel, 'q', 'a')
    await cluster.log.until({ from: 'client', frame: 'content-body' })
    cluster.release('confirms')
    await first
    const second = send(channel, 'q', 'b')
    await cluster.log.until({ from: 'client', frame: 'content-body' }, { count: 2 })
    await roundTrip(model)
    expect(cluster.log.entries(whenAck).length).toBe(1)
    cluster.release('confirms')
    expect(await second).toBe('ack')
  })

  it('stores a message twice and confirms it once', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: { ...whenPublish, times: 1 }, do: 'store-twice' })
    const inbox = await consume(channel, 'q')
    await send(channel, 'q', 'a')
    await send(channel, 'q', 'b')
    expect(await inbox.until(3)).toEqual(['a', 'a', 'b'])
  })

  it('answers late, with everything behind it on the channel, while other channels go on', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const { model, channel } = await client(cluster)
    cluster.script({ when: whenDeclare, do: 'delay', delayMs: 500 })
    const answered = Promise.all([channel.assertQueue('q'), send(channel, 'q', 'a')])
    await cluster.log.until(whenDeclare)
    await (await model.createChannel()).checkExchange('amq.direct')
    await clock.advance(500)
    await answered
    const answers = cluster.log.entries({ from: 'server' }).slice(-3)
    expect(answers.map(({ frame }) => frame)).toEqual([
      'exchange.declare-ok',
      'queue.declare-ok',
      'basic.ack',
    ])
  })

  it('never answers', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel } = await client(cluster)
    cluster.script({ when: whenDeclare, do: 'drop' })
    const declared = channel.assertQueue('q').catch(() => 'never')
    await (await model.createChannel()).checkExchange('amq.direct')
    expect(cluster.queue('q')).toBeUndefined()
    await cluster.close()
    expect(await declared).toBe('never')
  })

  it('loses a message with the publish that announced it', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: { ...whenPublish, times: 1 }, do: 'drop' })
    channel.sendToQueue('q', Buffer.from('lost'))
    channel.sendToQueue('q', Buffer.from('kept'))
    await cluster.log.until(whenAck)
    const kept = await channel.get('q')
    expect(kept !== false && String(kept.content)).toBe('kept')
  })

  it('loses a delivery on its way', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: { from: 'server', frame: 'basic.deliver', times: 1 }, do: 'drop' })
    const inbox = await consume(channel, 'q')
    await send(channel, 'q', 'a')
    await send(channel, 'q', 'b')
    expect(await inbox.until(1)).toEqual(['b'])
    expect(cluster.queue('q')).toMatchObject({ unacked: 2 })
  })

  it('closes a channel with any code', async () => {
    await using cluster = await startFakeCluster()
    const { channel, refused } = await client(cluster)
    const replyText =
      "NOT_FOUND - home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible"
    cluster.script({ when: whenDeclare, do: 'close-channel', replyCode: 404, replyText })
    await expect(channel.assertQueue('q')).rejects.toThrow(replyText)
    expect(await refused).toMatchObject({ code: 404, classId: 50, methodId: 10 })
  })

  it('closes a connection with any code', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    const rule = { do: 'close-connection', replyCode: 541, replyText: 'INTERNAL_ERROR' } as const
    cluster.script({ when: { from: 'client', frame: 'basic.consume' }, ...rule })
    await expect(channel.consume('q', () => undefined)).rejects.toThrow()
    expect(await closed).toMatchObject({ code: 541 })
  })

  it('resets a connection before a frame, which is then never seen', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: { ...whenPublish, skip: 1 }, do: 'cut', how: 'reset' })
    channel.sendToQueue('q', Buffer.from('a'))
    channel.sendToQueue('q', Buffer.from('b'))
    expect(await closed).toMatchObject({ code: 'ECONNRESET' })
    expect(cluster.queue('q')).toMatchObject({ ready: 1 })
  })

  it('ends a connection after a frame has arrived', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: whenAck, do: 'cut', how: 'end', at: 'after' })
    expect(await send(channel, 'q', 'a')).toBe('ack')
    expect(await closed).toMatchObject({ message: 'Unexpected close' })
  })

  it('resets a connection after a frame has arrived', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: whenAck, do: 'cut', how: 'reset', at: 'after' })
    expect(await send(channel, 'q', 'a')).toBe('ack')
    expect(await closed).toMatchObject({ code: 'ECONNRESET' })
  })

  it('ends a connection in the middle of a message that it delivers', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    await channel.assertQueue('q')
    cluster.script({ when: { from: 'server', frame: 'content-body' }, do: 'cut', how: 'end' })
    const inbox = await consume(channel, 'q')
    channel.sendToQueue('q', Buffer.from('a'))
    await closed
    expect(inbox.texts).toEqual([])
    expect(cluster.queue('q')).toMatchObject({ ready: 1, unacked: 0 })
  })

  it.each([1, 100, 300])('ends a connection at byte %i of what it says, and not one later', async (byte) => {
    await using cluster = await startFakeCluster()
    cluster.script({ when: { from: 'server', byte }, do: 'cut', how: 'end' })
    const raw = await rawClient(cluster.url)
    raw.say(greeting)
    await raw.closed
    expect(raw.heard.length).toBe(byte)
  })

  it('ends a connection at a byte of what the client says', async () => {
    await using cluster = await startFakeCluster()
    cluster.script({ when: { from: 'client', byte: 9 }, do: 'cut', how: 'end' })
    await expect(connect(cluster.url)).rejects.toThrow('Socket closed abruptly during opening handshake')
    expect(cluster.log.entries().map(({ frame }) => frame)).toEqual(['protocol-header', 'connection.start'])
  })

  it('sends garbage', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    cluster.script({ when: whenDeclare, do: 'inject', bytes: Buffer.from('garbage garbage') })
    void channel.assertQueue('q').catch(() => undefined)
    expect(await closed).toMatchObject({ message: expect.stringContaining('Frame size') })
  })

  it('falls silent on one connection and leaves it open', async () => {
    await using cluster = await startFakeCluster()
    const [silent, other] = [await client(cluster), await client(cluster)]
    cluster.script({ when: { ...whenDeclare, connection: 1 }, do: 'silence' })
    void silent.channel.assertQueue('q').catch(() => undefined)
    await cluster.log.until({ ...whenDeclare, connection: 1 })
    await other.channel.checkExchange('amq.direct')
    expect(silent.socket.destroyed).toBe(false)
    expect(cluster.log.entries({ from: 'server', frame: 'queue.declare-ok' })).toEqual([])
  })

  it('does as it should again when the rule is removed', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    const remove = cluster.script({ when: whenPublish, do: 'nack' })
    const before = await send(channel, 'q', 'a')
    remove()
    expect([before, await send(channel, 'q', 'b')]).toEqual(['nack', 'ack'])
  })
})

describe('a rule that could never match', () => {
  const wrong: readonly { rule: unknown; says: string }[] = [
    {
      rule: { when: { from: 'client', frame: 'basic.publsh' }, do: 'drop' },
      says: "rule: when.frame must be the name of a frame, not 'basic.publsh'; did you mean 'basic.publish'?",
    },
    {
      rule: { when: { ...whenDeclare, fields: { queu: 'q' } }, do: 'drop' },
      says:
        'rule: when.fields.queu must be a field of queue.declare: ticket, queue, passive, durable, exclusive, ' +
        "autoDelete, nowait, arguments; did you mean 'queue'?",
    },
    {
      rule: { when: { from: 'client', byte: 0 }, do: 'silence' },
      says: 'rule: when.byte must be a whole number from 1, not 0',
    },
    {
      rule: { when: whenAck, do: 'nack' },
      says: "rule: when must be { from: 'client', frame: 'basic.publish' } for 'nack', which is about messages",
    },
  ]
  it.each(wrong)('is refused: $says', async ({ rule, says }) => {
    await using cluster = await startFakeCluster()
    expect(() => cluster.script(rule as Rule)).toThrow(says)
  })
})
