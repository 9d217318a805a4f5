import { once } from 'node:events'
import { startFakeCluster } from '@ha/testing/rabbit'
import { describe, expect, it } from 'vitest'
import { client, send } from './amqplib-client.ts'
import { eventsOf, isPending, turn } from './witness.ts'

// As long as these pass, a close needs a deadline of ours, and ends with a socket destroyed by an error.

describe('in amqplib, closing', () => {
  it('a channel never settles when the socket dies first (E3)', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    cluster.script({ when: { from: 'client', frame: 'channel.close' }, do: 'cut', how: 'reset' })
    const closing = channel.close()
    await closed
    expect(await isPending(closing)).toBe(true)
  })

  it('a connection never settles when the socket dies first (E4)', async () => {
    await using cluster = await startFakeCluster()
    const { model, closed } = await client(cluster)
    cluster.script({ when: { from: 'client', frame: 'connection.close' }, do: 'cut', how: 'reset' })
    const closing = model.close()
    await closed
    expect(await isPending(closing)).toBe(true)
  })

  it('a connection drops every message that was published just before (E5)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel } = await client(cluster)
    await channel.assertQueue('q')
    const confirms = Array.from({ length: 50 }, () => send(channel, 'q', 'a'))
    await model.close()
    expect(await Promise.all(confirms)).toEqual(Array(50).fill('nack'))
    expect(cluster.queue('q')).toMatchObject({ ready: 0 })
  })
})

describe('in amqplib, destroying the socket', () => {
  it('without an error is noticed by nobody (E27)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel, socket } = await client(cluster)
    const events = eventsOf(model, channel)
    const confirm = send(channel, 'q', 'a')
    socket.destroy()
    await once(socket, 'close')
    await turn()
    expect(events).toEqual([])
    expect(await isPending(confirm)).toBe(true)
  })

  it('with an error is noticed everywhere (E27b)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel, socket, closed } = await client(cluster)
    const events = eventsOf(model, channel)
    cluster.node(1).freeze()
    const confirm = send(channel, 'q', 'a')
    socket.destroy(new Error('ours'))
    expect(await closed).toMatchObject({ message: 'ours' })
    expect(events).toEqual(['connection error', 'channel close', 'connection close'])
    expect(await confirm).toBe('nack')
  })
})
