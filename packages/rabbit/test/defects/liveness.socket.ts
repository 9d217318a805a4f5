import type { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type FakeCluster, startFakeCluster } from '@ha/testing/rabbit'
import { connect } from 'amqplib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Client, client } from './amqplib-client.ts'
import { eventsOf, turn } from './witness.ts'

// As long as these pass, dials and silence need deadlines of ours.

describe('in amqplib, connecting to a server that takes the connection and says nothing', () => {
  it('has no deadline (E26b, 3.1 item 2)', async () => {
    await using cluster = await startFakeCluster()
    cluster.node(1).freeze()
    const dial = connect(cluster.url)
    dial.catch(() => undefined)
    expect(await Promise.race([dial, after(300)])).toBe('pending')
  })

  it('can be ended by a signal in the socket options, which is how we do it (E26)', async () => {
    await using cluster = await startFakeCluster()
    cluster.node(1).freeze()
    const options = { signal: AbortSignal.timeout(100) } as object
    await expect(connect(cluster.url, options)).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('ends after the timeout option, which watches the handshake only (3.1 item 2)', async () => {
    await using cluster = await startFakeCluster()
    const { model, socket } = await timedClient(cluster)
    expect(socket.timeout).toBe(0)
    await model.close()
    cluster.node(1).freeze()
    await expect(timedClient(cluster)).rejects.toThrow('connect ETIMEDOUT')
  })
})

describe('in amqplib, a server that stops in good order', () => {
  it('is told by close with an error, and by no error (E16, 3.1 item 3)', async () => {
    await using cluster = await startFakeCluster()
    const { model, channel, closed } = await client(cluster)
    const events = eventsOf(model, channel)
    await cluster.node(1).stop()
    expect(await closed).toMatchObject({ code: 320 })
    expect(events).toEqual(['channel close', 'connection close'])
  })
})

describe('in amqplib, a connection that fell silent, with a heartbeat of 1 s and 5 MB on their way,', () => {
  let cluster: FakeCluster
  let silent: Silent
  beforeAll(async () => {
    cluster = await startFakeCluster()
    silent = await fallSilent(cluster)
  })
  afterAll(() => cluster.close())

  it('is given up after two to three intervals (E21)', () => {
    expect(silent.message).toBe('Heartbeat timeout')
    expect(silent.detectedMs).toBeGreaterThan(1_900)
    expect(silent.detectedMs).toBeLessThan(3_600)
  })

  it('keeps its socket (E10)', () => {
    expect(silent.socket?.destroyed).toBe(false)
  })

  it('keeps with the socket all that was on its way, until we destroy it (E12)', async () => {
    const { channel } = silent
    await collectGarbage()
    const isKept = channel.deref() !== undefined
    silent.socket?.destroy(new Error('what we have to do'))
    silent = { ...silent, socket: undefined }
    await collectGarbage()
    expect([isKept, channel.deref() !== undefined]).toEqual([true, false])
  })
})

interface Silent {
  readonly message: string | undefined
  readonly detectedMs: number
  readonly socket: Socket | undefined
  readonly channel: WeakRef<object>
}

// Nothing but the socket is held when it returns.
async function fallSilent(cluster: FakeCluster): Promise<Silent> {
  const { channel, socket, closed } = await client(cluster, '?heartbeat=1')
  cluster.node(1).freeze()
  const since = performance.now()
  for (let i = 0; i < 5; i++) channel.sendToQueue('q', Buffer.alloc(2 ** 20))
  // An error holds on to the objects of its stack until somebody has read the stack.
  const message = (await closed)?.message
  return { message, detectedMs: performance.now() - since, socket, channel: new WeakRef(channel) }
}

// A weak reference holds on to what it has shown until the turn of the event loop is over.
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc')
  for (let i = 0; i < 3; i++) {
    await turn()
    gc()
  }
}

async function timedClient({ url }: FakeCluster): Promise<Pick<Client, 'model' | 'socket'>> {
  const model = await connect(url, { timeout: 200 })
  model.on('error', () => undefined)
  return { model, socket: Object(model.connection).stream }
}

function after(ms: number): Promise<'pending'> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('pending'), ms)
  })
}
