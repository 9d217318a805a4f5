import { startFakeCluster } from '@ha/testing/rabbit'
import { describe, expect, it, vi } from 'vitest'
import { client, consume, send } from './amqplib-client.ts'

// As long as these pass, no code of a user may run inside the driver's stack.

describe('in amqplib, a callback that throws', () => {
  it('at the null of a cancelled consumer ends the connection (E1)', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    await channel.assertQueue('q')
    await channel.consume('q', (message) => {
      message!.content.toString()
    })
    cluster.deleteQueue('q')
    expect(await closed).toBeInstanceOf(TypeError)
  })

  it('at a message ends its channel with a 541 (E17)', async () => {
    await using cluster = await startFakeCluster()
    const { channel, refused } = await client(cluster)
    await channel.assertQueue('q')
    await channel.consume('q', () => {
      throw new Error('from a user')
    })
    await send(channel, 'q', 'a').catch(() => undefined)
    expect(await refused).toMatchObject({ code: 541, message: 'from a user' })
  })

  it('in a listener of the connection ends the connection, and no handler-error is told (E9)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel, closed } = await client(cluster)
    const told = vi.fn()
    model.on('handler-error', told)
    model.on('blocked', () => {
      throw new Error('from a user')
    })
    cluster.raiseAlarm()
    void send(channel, 'q', 'a').catch(() => undefined)
    expect(await closed).toMatchObject({ message: 'from a user' })
    expect(told).not.toHaveBeenCalled()
  })

  it('in a listener of the connection is told to a handler-error listener of the hidden inner one (E9)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel } = await client(cluster)
    const told = new Promise((resolve) => {
      Object(model.connection).on('handler-error', resolve)
    })
    model.on('blocked', () => {
      throw new Error('from a user')
    })
    cluster.raiseAlarm()
    void send(channel, 'q', 'a').catch(() => undefined)
    expect(await told).toMatchObject({ message: 'from a user' })
  })
})

describe('in amqplib, a refused channel that nobody listens to', () => {
  it('takes its connection and every other channel with it (E2)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel, closed } = await client(cluster)
    const innocent = await consume(channel, (await channel.assertQueue('q')).queue)
    const deaf = await model.createChannel()
    deaf.publish('no such exchange', '', Buffer.from('a'))
    expect(await closed).toMatchObject({ message: expect.stringContaining('no such exchange') })
    expect(innocent.texts).toEqual([])
    expect(() => channel.sendToQueue('q', Buffer.from('a'))).toThrow('Channel closed')
  })
})
