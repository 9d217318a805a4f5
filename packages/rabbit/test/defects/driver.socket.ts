import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { startFakeCluster } from '@ha/testing/rabbit'
import { connect } from 'amqplib'
import { describe, expect, it, vi } from 'vitest'
import { client, consume, send } from './amqplib-client.ts'

describe('amqplib', () => {
  it('delivers small messages that hold on to large buffers: copy what is kept (E22)', async () => {
    await using cluster = await startFakeCluster()
    const { channel } = await client(cluster)
    await channel.assertQueue('q')
    const inbox = await consume(channel, 'q')
    await send(channel, 'q', 'hello')
    await inbox.until(1)
    const { content } = inbox.messages[0]!
    expect(content.length).toBe(5)
    expect(content.buffer.byteLength).toBeGreaterThanOrEqual(8_192)
  })

  it('leaves Nagle on unless it is told otherwise (3.1 item 13)', async () => {
    await using cluster = await startFakeCluster()
    const setNoDelay = vi.spyOn(Socket.prototype, 'setNoDelay')
    const model = await connect(cluster.url)
    const values = setNoDelay.mock.calls.map(([value]) => value)
    setNoDelay.mockRestore()
    await model.close()
    expect(values).toContain(false)
  })

  it('loses its connection over a consumer tag that is used again: tags are fresh for each epoch (3.1 item 15)', async () => {
    await using cluster = await startFakeCluster()
    const { channel, closed } = await client(cluster)
    await channel.assertQueue('q')
    await channel.consume('q', () => undefined, { consumerTag: 'mine' })
    void channel.consume('q', () => undefined, { consumerTag: 'mine' }).catch(() => undefined)
    expect(await closed).toMatchObject({ code: 530 })
  })

  it.each(['lib/defs', 'lib/codec', 'lib/connection'])('keeps %s to itself (3.1 item 15)', (path) => {
    const { resolve } = createRequire(import.meta.url)
    expect(() => resolve(`amqplib/${path}`)).toThrow(
      expect.objectContaining({ code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }),
    )
  })
})
