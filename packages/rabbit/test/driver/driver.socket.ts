import { once } from 'node:events'
import { type AddressInfo, connect as connectSocket, createServer } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { ConnectionSignal, Driver } from '@ha/core'
import { until } from '@ha/core/testing'
import { type FakeCluster, startFakeCluster } from '@ha/testing/rabbit'
import { describe, expect, it, vi } from 'vitest'
import { openChannel } from '../../src/driver/channel.ts'
import type { AmqpConnection } from '../../src/driver/connection.ts'
import { amqpDriver } from '../../src/driver/driver.ts'
import { turn } from '../defects/witness.ts'

const options = {
  username: 'guest',
  password: 'guest',
  vhost: '/',
  heartbeatSec: 8,
  tls: undefined,
  connectionName: 'test',
}
const never = new AbortController().signal

function open(cluster: FakeCluster, driver: Driver<AmqpConnection> = amqpDriver(options)) {
  return driver.open({ host: '127.0.0.1', port: cluster.node(1).port }, never)
}

describe('a dial', () => {
  it('leaves nothing open when the private channel cannot be opened', async () => {
    await using cluster = await startFakeCluster()
    cluster.script(
      { when: { from: 'client', frame: 'channel.open' }, do: 'inject', bytes: anotherAnswer() },
      { when: { from: 'client', frame: 'channel.close' }, do: 'drop' },
    )
    await expect(open(cluster)).rejects.toMatchObject({ code: 'unreachable' })
    await until('it is gone', () => cluster.connections.length === 0)
  })

  it('is not refused for good by a virtual host that is still starting', async () => {
    await using cluster = await startFakeCluster()
    const rule = { from: 'client', frame: 'connection.open' } as const
    cluster.script({ when: rule, do: 'close-connection', replyCode: 541, replyText: 'INTERNAL_ERROR' })
    await expect(open(cluster)).rejects.toMatchObject({
      code: 'unreachable',
      message: 'INTERNAL_ERROR',
      retryable: true,
      serverCode: 541,
    })
  })

  it('that is let in when it asks why it was refused has not been refused for good', async () => {
    await using cluster = await startFakeCluster()
    const rule = { from: 'client', frame: 'connection.open', times: 1 } as const
    cluster.script({ when: rule, do: 'close-connection', replyCode: 541, replyText: 'INTERNAL_ERROR' })
    await expect(open(cluster)).rejects.toMatchObject({ code: 'unreachable', retryable: true })
    await until('nothing stays open', () => cluster.connections.length === 0)
  })

  it('is refused for good by a virtual host that does not exist, with its code', async () => {
    await using cluster = await startFakeCluster()
    await expect(open(cluster, amqpDriver({ ...options, vhost: 'nowhere' }))).rejects.toMatchObject({
      code: 'refused',
      message: 'NOT_ALLOWED - vhost nowhere not found',
      serverCode: 530,
    })
  })
})

describe('a connection', () => {
  it('is over when the driver gives up on it and waits for a broker that says nothing', async () => {
    await using cluster = await startFakeCluster()
    cluster.script(
      { when: { from: 'client', frame: 'basic.qos' }, do: 'inject', bytes: frameOnUnknownChannel() },
      { when: { from: 'client', frame: 'connection.close' }, do: 'drop' },
    )
    const driver = amqpDriver(options)
    const connection = await open(cluster, driver)
    const signals: ConnectionSignal[] = []
    driver.watch(connection, (signal) => signals.push(signal))
    driver.probe(connection, never).catch(() => undefined)
    await until('it is over', () => connection.closed.aborted)
    expect(signals).toMatchObject([{ kind: 'lost', error: { code: 'lost' } }])
    await until('its socket is gone', () => cluster.connections.length === 0)
  })

  it('may have any number of channels, and a channel any number of handlers that watch it', async () => {
    await using cluster = await startFakeCluster()
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const connection = await open(cluster)
    const opening = Array.from({ length: 12 }, () => openChannel(connection, new AbortController().signal))
    const guards = await Promise.all(opening)
    for (let i = 0; i < 12; i++) guards[0]?.closed.addEventListener('abort', () => undefined)
    const warnings = [...warned.mock.calls]
    warned.mockRestore()
    connection.destroy()
    expect(warnings).toEqual([])
  })

  it.each(['kill', 'stop', 'destroy'] as const)(
    'is not held by the error that it ended with (%s)',
    async (how) => {
      await using cluster = await startFakeCluster()
      const ended = await endedConnection(cluster, how)
      await collectGarbage()
      expect([ended.errors.length, ended.model.deref()]).toEqual([2, undefined])
    },
  )
})

describe('an endpoint probe through a balancer', () => {
  it.each([
    [
      'a broker that tells the same of itself, which does not prove that it is the same',
      '3.10.8',
      'unidentified',
    ],
    ['a broker of another version, which is another one', '3.11.2', 'another-server'],
  ])('is answered by %s', async (_, version, answer) => {
    await using first = await startFakeCluster()
    await using second = await startFakeCluster({ version })
    let { port } = first.node(1)
    const balancer = createServer((client) => {
      const broker = connectSocket(port, '127.0.0.1')
      for (const socket of [client, broker]) socket.on('error', () => undefined)
      client.pipe(broker).pipe(client)
    })
    balancer.listen(0, '127.0.0.1')
    await once(balancer, 'listening')
    const endpoint = { host: '127.0.0.1', port: (balancer.address() as AddressInfo).port }
    const driver = amqpDriver(options)
    const { signal } = new AbortController()
    const connection = await driver.open(endpoint, signal)
    port = second.node(1).port
    expect(await driver.probeEndpoint(endpoint, signal, connection)).toBe(answer)
    driver.destroy(connection)
    balancer.close()
  })
})

describe('an endpoint probe over TLS', () => {
  it('names the server that it wants, as the driver does', async () => {
    const hello = new Promise<Buffer>((resolve) => {
      server.once('connection', (socket) => socket.once('data', resolve))
    })
    server.listen(0, 'localhost')
    await once(server, 'listening')
    const end = new AbortController()
    const { port } = server.address() as AddressInfo
    const probe = amqpDriver({ ...options, tls: {} }).probeEndpoint({ host: 'localhost', port }, end.signal)
    probe.catch(() => undefined)
    expect((await hello).includes('localhost')).toBe(true)
    end.abort()
    server.close()
  })

  const server = createServer()
})

// channel.close-ok for a channel that nobody has opened.
function frameOnUnknownChannel(): Buffer {
  return Buffer.from([1, 0, 99, 0, 0, 0, 4, 0, 20, 0, 41, 0xce])
}

// queue.purge-ok on channel 1, for nothing that was asked.
function anotherAnswer(): Buffer {
  return Buffer.from([1, 0, 1, 0, 0, 0, 8, 0, 50, 0, 31, 0, 0, 0, 0, 0xce])
}

interface Ended {
  readonly errors: readonly unknown[]
  readonly model: WeakRef<object>
}

// Nothing but its errors is held when it returns.
async function endedConnection(cluster: FakeCluster, how: 'kill' | 'stop' | 'destroy'): Promise<Ended> {
  const connection = await open(cluster)
  const { closed: over } = await openChannel(connection, never)
  if (how === 'destroy') connection.destroy()
  else await cluster.node(1)[how]()
  await until('it is over', () => over.aborted)
  return { errors: [connection.closed.reason, over.reason], model: new WeakRef(connection.model) }
}

// A weak reference holds on to what it has shown until the turn of the event loop is over.
async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc')
  for (let i = 0; i < 5; i++) {
    await turn()
    gc()
  }
}
