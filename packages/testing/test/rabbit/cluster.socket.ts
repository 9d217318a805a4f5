import { FakeClock } from '@ha/core/testing'
import { connect } from 'amqplib'
import { describe, expect, it } from 'vitest'
import { startFakeCluster } from '../../src/rabbit/index.ts'
import { client, consume, send } from './client.ts'
import { long, method, openChannel, openRawClient, short, text } from './raw-client.ts'

describe('a fake cluster', () => {
  it('shares queues and messages between its nodes', async () => {
    await using cluster = await startFakeCluster({ nodes: 3 })
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    await one.channel.assertQueue('q')
    const inbox = await consume(two.channel, 'q')
    await send(one.channel, 'q', 'a')
    expect(await inbox.until(1)).toEqual(['a'])
  })

  it('resets the connections of a killed node and leaves the others alone', async () => {
    await using cluster = await startFakeCluster({ nodes: 2 })
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    await cluster.node(1).kill()
    expect(await one.closed).toMatchObject({ code: 'ECONNRESET' })
    expect(await two.channel.checkExchange('amq.direct')).toEqual({})
  })

  it('refuses connections to a node that is down, and takes them again on the same port', async () => {
    await using cluster = await startFakeCluster()
    const { url } = cluster
    await cluster.node(1).kill()
    await expect(connect(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await cluster.node(1).start()
    expect(cluster.url).toBe(url)
    await client(cluster)
  })

  it('gives what a dead connection held to another consumer, in order and marked, before anything newer', async () => {
    await using cluster = await startFakeCluster({ nodes: 2 })
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    await two.channel.assertQueue('q')
    const held = await consume(one.channel, 'q')
    for (const text of ['a', 'b', 'c']) await send(two.channel, 'q', text)
    await held.until(3)
    await cluster.node(1).kill()
    await send(two.channel, 'q', 'd')
    const inbox = await consume(two.channel, 'q')
    expect(await inbox.until(4)).toEqual(['a*', 'b*', 'c*', 'd'])
  })

  // RabbitMQ does this in every second case: its channels die in no order.
  it('gives nothing that a dead connection held to another channel of it', async () => {
    await using cluster = await startFakeCluster({ nodes: 2 })
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    await two.channel.assertQueue('q', { arguments: { 'x-queue-type': 'quorum' } })
    await send(two.channel, 'q', 'a')
    for (const channel of [one.channel, await one.model.createConfirmChannel()]) await consume(channel, 'q')
    await cluster.node(1).kill()
    const message = await two.channel.get('q')
    expect(message !== false && message.properties.headers).toEqual({ 'x-delivery-count': 1 })
  })

  it('tells the clients of a node that stops, and ends when they know', async () => {
    await using cluster = await startFakeCluster({ nodes: 2 })
    const one = await client(cluster.node(1))
    await cluster.node(1).stop()
    expect(await one.closed).toMatchObject({
      code: 320,
      message: expect.stringContaining(
        "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'",
      ),
    })
    await expect(connect(cluster.node(1).url)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('does not wait long for a client that does not say that it knows', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const one = await client(cluster)
    one.socket.pause()
    const stopped = cluster.node(1).stop()
    await clock.advance(1_000)
    await stopped
    expect(cluster.node(1).state).toBe('down')
  })

  it('takes connections to a frozen node and says nothing', async () => {
    await using cluster = await startFakeCluster()
    cluster.node(1).freeze()
    await expect(connect(cluster.url, { timeout: 100 })).rejects.toThrow('ETIMEDOUT')
    expect(cluster.log.entries()).toEqual([])
  })

  it('goes on where it stopped when it thaws', async () => {
    await using cluster = await startFakeCluster()
    const one = await client(cluster)
    await one.channel.assertQueue('q')
    cluster.node(1).freeze()
    const late = connect(cluster.url)
    const confirm = send(one.channel, 'q', 'a')
    expect(await Promise.race([confirm, silence(50)])).toBe('silence')
    cluster.node(1).thaw()
    expect(await confirm).toBe('ack')
    await (await late).close()
  })

  it('keeps what it had to say to the clients of a frozen node until it thaws', async () => {
    await using cluster = await startFakeCluster({ nodes: 2 })
    const [frozen, other] = [await client(cluster.node(1)), await client(cluster.node(2))]
    await other.channel.assertQueue('q')
    const inbox = await consume(frozen.channel, 'q')
    cluster.node(1).freeze()
    await send(other.channel, 'q', 'a')
    expect(inbox.texts).toEqual([])
    cluster.node(1).thaw()
    expect(await inbox.until(1)).toEqual(['a'])
  })

  it('gives up a node that stays frozen: what its clients held comes back', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ nodes: 2, clock, downAfterMs: 1_000 })
    const [frozen, other] = [await client(cluster.node(1)), await client(cluster.node(2))]
    await other.channel.assertQueue('q')
    await send(other.channel, 'q', 'a')
    await (await consume(frozen.channel, 'q')).until(1)
    cluster.node(1).freeze()
    await clock.advance(999)
    expect(cluster.queue('q')).toMatchObject({ ready: 0, unacked: 1, consumers: 1 })
    await clock.advance(1)
    expect(cluster.queue('q')).toMatchObject({ ready: 1, unacked: 0, consumers: 0 })
    cluster.node(1).thaw()
    expect(await frozen.closed).toMatchObject({ code: 'ECONNRESET' })
  })

  it('stops a frozen node in good order too', async () => {
    await using cluster = await startFakeCluster()
    const one = await client(cluster)
    cluster.node(1).freeze()
    await cluster.node(1).stop()
    expect(await one.closed).toMatchObject({ code: 320 })
  })

  it('forgets with its last node what is not durable, and keeps the rest', async () => {
    await using cluster = await startFakeCluster({ nodes: 2 })
    const one = await client(cluster)
    await one.channel.assertQueue('durable')
    await one.channel.assertQueue('transient', { durable: false })
    await send(one.channel, 'durable', 'persistent')
    one.channel.sendToQueue('durable', Buffer.from('transient'))
    await one.channel.waitForConfirms()
    await cluster.node(1).kill()
    expect(cluster.queue('transient')).toBeDefined()
    await cluster.node(2).kill()
    expect(cluster.queue('transient')).toBeUndefined()
    expect(cluster.queue('durable')).toMatchObject({ ready: 1 })
  })

  it('does nothing of what it was told to do late while it is frozen', async () => {
    const clock = new FakeClock()
    await using cluster = await startFakeCluster({ clock })
    const { channel } = await client(cluster)
    cluster.script({ when: { from: 'client', frame: 'queue.declare' }, do: 'delay', delayMs: 100 })
    const declared = channel.assertQueue('q')
    await cluster.log.until({ frame: 'queue.declare' })
    cluster.node(1).freeze()
    await clock.advance(200)
    expect(cluster.queue('q')).toBeUndefined()
    cluster.node(1).thaw()
    await declared
    expect(cluster.queue('q')).toBeDefined()
  })

  it('closes one connection with a 320 as an administrator does', async () => {
    await using cluster = await startFakeCluster()
    const [one, two] = [await client(cluster), await client(cluster)]
    cluster.closeConnection(1, 'because reasons')
    expect(await one.closed).toMatchObject({ code: 320, message: expect.stringContaining('because reasons') })
    expect(cluster.connections.map(({ connection }) => connection)).toEqual([2])
    expect(await two.channel.checkExchange('amq.direct')).toEqual({})
  })

  it('cancels the consumers of a queue that it deletes', async () => {
    await using cluster = await startFakeCluster()
    const one = await client(cluster)
    await one.channel.assertQueue('q')
    const inbox = await consume(one.channel, 'q')
    cluster.deleteQueue('q')
    expect(await inbox.until(1)).toEqual(['cancelled'])
  })

  it('tells nothing of it to a client that did not ask to hear it', async () => {
    await using cluster = await startFakeCluster()
    const raw = await openRawClient(cluster.url)
    const consume = method(1, 60, 20, short(0), text('q'), text(''), Buffer.of(0), long(0))
    await (await client(cluster)).channel.assertQueue('q')
    raw.say(openChannel(1), consume)
    await cluster.log.until({ from: 'server', frame: 'basic.consume-ok' })
    cluster.deleteQueue('q')
    expect(cluster.log.entries({ from: 'server', frame: 'basic.cancel' })).toEqual([])
  })

  it('cancels the consumers of a queue that stays', async () => {
    await using cluster = await startFakeCluster()
    const one = await client(cluster)
    await one.channel.assertQueue('q')
    const inbox = await consume(one.channel, 'q')
    cluster.cancelConsumers('q')
    expect(await inbox.until(1)).toEqual(['cancelled'])
    expect(cluster.queue('q')).toMatchObject({ consumers: 0 })
  })
})

function silence(ms: number): Promise<'silence'> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('silence'), ms)
  })
}
