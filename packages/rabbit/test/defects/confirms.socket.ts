import { startFakeCluster } from '@ha/testing/rabbit'
import { describe, expect, it } from 'vitest'
import { client } from './amqplib-client.ts'
import { eventsOf, turn } from './witness.ts'

// As long as these pass, what is replayed and what is rejected is decided by us, when the epoch changes, and never in
// the driver's callback.

describe('in amqplib, confirms', () => {
  it('fail all alike when one message is refused: no code says which it was (E18)', async () => {
    await using cluster = await startFakeCluster()
    const { channel, refused } = await client(cluster)
    const exchanges = ['amq.direct', 'none', 'amq.direct', 'amq.direct', 'amq.direct']
    const outcomes = exchanges.map(
      (exchange) =>
        new Promise((resolve) => {
          channel.publish(exchange, 'k', Buffer.from('a'), {}, (error) =>
            resolve(error === null ? 'ack' : { ...error, text: error.message }),
          )
        }),
    )
    await refused
    const alike = { text: 'channel closed' }
    expect(await Promise.all(outcomes)).toEqual(['ack', alike, alike, alike, alike])
  })

  it('fail before the channel and the connection are said to be closed (E28)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel, closed } = await client(cluster)
    cluster.script({ when: { from: 'client', frame: 'basic.publish' }, do: 'cut', how: 'reset' })
    const events = eventsOf(model, channel)
    channel.sendToQueue('q', Buffer.from('a'), {}, () => events.push('confirm'))
    await closed
    expect(events).toEqual(['connection error', 'confirm', 'channel close', 'connection close'])
  })

  it('fail after the channel is said to be refused, and before it is said to be closed (E28b)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel, refused } = await client(cluster)
    const events = eventsOf(model, channel)
    channel.publish('none', 'k', Buffer.from('a'), {}, () => events.push('confirm'))
    await refused
    expect(events).toEqual(['channel error', 'confirm', 'channel close'])
  })

  it('overflow the stack when somebody waits for them often enough (E23)', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    cluster.script({ when: { from: 'server', frame: 'basic.ack' }, do: 'hold', until: 'all wait' })
    channel.sendToQueue('q', Buffer.from('a'))
    for (let i = 0; i < 20_000; i++) channel.waitForConfirms().catch(() => undefined)
    await cluster.log.until({ from: 'client', frame: 'content-body' })
    await turn()
    cluster.release('all wait')
    expect(await closed).toBeInstanceOf(RangeError)
  })
})

describe('in amqplib, publish() says to wait', () => {
  it('and takes every message all the same (3.1 item 9)', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    const answers = Array.from({ length: 3_000 }, () => channel.sendToQueue('q', Buffer.alloc(3_000)))
    await channel.waitForConfirms()
    expect(answers.includes(false)).toBe(true)
    expect(cluster.queue('q')).toMatchObject({ ready: 3_000 })
  })

  it('by counting pieces and not bytes: twenty megabytes are nothing to it (3.1 item 9)', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    cluster.node(1).freeze()
    const answers = Array.from({ length: 20 }, () => channel.sendToQueue('q', Buffer.alloc(2 ** 20)))
    expect(answers.every((answer) => answer)).toBe(true)
  })
})
