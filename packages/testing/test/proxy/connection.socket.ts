import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import { bothWays } from '../../src/proxy/index.ts'
import { dial, line, stands, startProxy, startServer, until } from './peers.ts'

it('sets faults on one connection and leaves its neighbour alone', async () => {
  const { proxy, connection, client, server } = await line()
  const neighbour = dial(proxy.endpoint)
  connection.set(bothWays({ kind: 'blackhole', how: 'discard' }))
  client.say('lost')
  neighbour.say('heard')
  await until(() => proxy.connections[1]?.up.passedBytes === 5 && connection.up.droppedBytes === 4)
  expect(server.text).toBe('')
})

it('gives faults of the proxy to connections that come later', async () => {
  const { endpoint, peers } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  proxy.set({ up: [{ kind: 'corrupt', afterBytes: 0, xor: 1 }] })
  dial(proxy.endpoint).say('a')
  await until(() => peers[0]?.text === '`')
})

it('lets the last word count: faults of the proxy replace those of a connection', async () => {
  const { proxy, connection, client, server } = await line()
  connection.set({ up: [{ kind: 'blackhole', how: 'discard' }] })
  proxy.set({ up: [] })
  client.say('heard')
  await server.hears('heard')
})

it('replaces one direction and keeps the other', async () => {
  const { proxy, connection } = await line()
  proxy.set({ up: [{ kind: 'half-open' }] })
  connection.set({ down: [{ kind: 'slow-close', delayMs: 5 }] })
  expect(connection.faults).toEqual({
    up: [{ kind: 'half-open' }],
    down: [{ kind: 'slow-close', delayMs: 5 }],
  })
})

it('lets faults be chosen for a connection before its first byte', async () => {
  const { endpoint, peers } = await startServer()
  const proxy = await startProxy({
    to: endpoint,
    onConnection: (connection) => {
      if (connection.id === 2) connection.set({ down: [{ kind: 'cut', how: 'reset' }] })
    },
  })
  const first = dial(proxy.endpoint)
  await until(() => peers.length === 1)
  const second = dial(proxy.endpoint)
  expect([await second.ends(), first.ending]).toEqual(['ECONNRESET', undefined])
})

it('lets held bytes follow a change at once and in order', async () => {
  const clock = new FakeClock()
  const { connection, client, server } = await line({ clock })
  connection.set({ up: [{ kind: 'latency', delayMs: 60_000 }] })
  client.say('one ')
  await until(() => connection.up.heldBytes === 4)
  connection.set({ up: [] })
  client.say('two')
  await server.hears('one two')
})

it('flushes what is held when it is healed', async () => {
  const { proxy, connection, client, server } = await line({ clock: new FakeClock() })
  proxy.set({ up: [{ kind: 'latency', delayMs: 60_000 }] })
  client.say('held')
  client.socket.end()
  await until(() => proxy.timeline.some(({ kind }) => kind === 'ended'))
  await proxy.heal({ held: 'flush' })
  expect([await server.ends(), server.text, connection.up.heldBytes]).toEqual(['end', 'held', 0])
})

it('drops what is held when it is healed so, but not how the sender ended', async () => {
  const { proxy, connection, client, server } = await line({ clock: new FakeClock() })
  proxy.set({ up: [{ kind: 'latency', delayMs: 60_000 }] })
  client.say('held')
  client.socket.end()
  await until(() => proxy.timeline.some(({ kind }) => kind === 'ended'))
  await proxy.heal({ held: 'drop' })
  expect([await server.ends(), server.text, connection.up.droppedBytes]).toEqual(['end', '', 4])
})

it('heals one connection and leaves its neighbour sick', async () => {
  const { proxy, connection, client, server } = await line()
  proxy.set({ up: [{ kind: 'blackhole', how: 'discard' }] })
  const neighbour = dial(proxy.endpoint)
  connection.heal()
  client.say('heard')
  neighbour.say('lost')
  await server.hears('heard')
  await until(() => proxy.connections[1]?.up.droppedBytes === 4)
})

it('reads no more from the sender than it may hold', async () => {
  const maxHeldBytes = 100_000
  const { connection, client } = await line({ clock: new FakeClock(), maxHeldBytes })
  connection.set({ up: [{ kind: 'latency', delayMs: 60_000 }] })
  client.socket.write(Buffer.alloc(64 * 1024 * 1024))
  await until(() => connection.up.heldBytes >= maxHeldBytes)
  expect(await stands(() => connection.up.heldBytes)).toBeLessThanOrEqual(maxHeldBytes + 65_536)
})

it('reads no more from the sender than a receiver that does not read lets through', async () => {
  const { connection, client, server } = await line()
  server.socket.pause()
  const most = 64 * 1024 * 1024
  client.socket.write(Buffer.alloc(most))
  expect([(await stands(() => connection.up.readBytes)) < most, connection.up.heldBytes <= 65_536]).toEqual([
    true,
    true,
  ])
})

it('cuts one connection now, even when its receiver takes nothing', async () => {
  const { connection, client, server } = await line()
  server.socket.pause()
  client.socket.write(Buffer.alloc(64 * 1024 * 1024))
  await stands(() => connection.up.readBytes)
  connection.cut('reset')
  expect(await client.ends()).toBe('ECONNRESET')
})

it('reads and drops what a sender goes on to say after its direction was cut', async () => {
  const clock = new FakeClock()
  const { connection, client, server } = await line({ clock })
  server.socket.pause()
  client.socket.write(Buffer.alloc(64 * 1024 * 1024))
  await stands(() => connection.up.readBytes)
  connection.set({ up: [{ kind: 'cut', how: 'end', afterMs: 10 }] })
  await clock.advance(10)
  await until(() => connection.up.readBytes === 64 * 1024 * 1024)
})

it('stays cut when its receiver takes bytes again', async () => {
  const clock = new FakeClock()
  const { proxy, connection, client, server } = await line({ clock })
  server.socket.pause()
  client.socket.write(Buffer.alloc(64 * 1024 * 1024))
  const passed = await stands(() => connection.up.passedBytes)
  connection.set({ up: [{ kind: 'cut', how: 'end', afterMs: 10 }] })
  await clock.advance(10)
  server.socket.resume()
  await server.ends()
  expect(proxy.timeline.filter(({ kind }) => kind === 'cut')).toHaveLength(1)
  expect(Buffer.concat(server.chunks)).toHaveLength(passed)
})

it('stays cut when the slice before it has been read', async () => {
  const { proxy, connection, client, server } = await line()
  connection.set({ down: [{ kind: 'slice', maxBytes: 1 }] })
  server.say('x'.repeat(1000))
  await until(() => connection.down.passedBytes > 0)
  connection.set({ down: [{ kind: 'cut', how: 'end' }] })
  await client.ends()
  await stands(() => connection.down.readBytes)
  expect(proxy.timeline.filter(({ kind }) => kind === 'cut')).toHaveLength(1)
  expect(client.text).toHaveLength(connection.down.passedBytes)
})

it.each(['close', 'reset'] as const)('holds nothing any more once it is cut: %s', async (how) => {
  const { connection, client, server } = await line({ clock: new FakeClock() })
  connection.set(bothWays({ kind: 'latency', delayMs: 60_000 }))
  client.say('up')
  server.say('down')
  await until(() => connection.up.heldBytes === 2 && connection.down.heldBytes === 4)
  connection.cut(how)
  expect([connection.up, connection.down]).toMatchObject([
    { heldBytes: 0, droppedBytes: 2 },
    { heldBytes: 0, droppedBytes: 4 },
  ])
})

it.each(['close', 'reset'] as const)(
  'gives up a dial that nobody answers when it is cut: %s',
  async (how) => {
    const { endpoint } = await startServer()
    const stalled = await startProxy({ to: endpoint })
    await stalled.admit('stall')
    const proxy = await startProxy({ to: stalled.endpoint })
    const client = dial(proxy.endpoint)
    await until(() => proxy.connections.length === 1)
    proxy.cut(how)
    await until(() => proxy.connections.length === 0)
    expect(await client.ends()).toBe(how === 'close' ? 'end' : 'ECONNRESET')
  },
)

it('begins with a connection a fault that is due before any byte', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  proxy.set({ down: [{ kind: 'cut', how: 'reset' }] })
  expect(await dial(proxy.endpoint).ends()).toBe('ECONNRESET')
})

it('lets one connection be spared what befalls all', async () => {
  const { endpoint } = await startServer('hello')
  const proxy = await startProxy({ to: endpoint, onConnection: (connection) => connection.heal() })
  proxy.set({ down: [{ kind: 'cut', how: 'reset' }] })
  await dial(proxy.endpoint).hears('hello')
})

it('resets the client when the server cannot be reached', async () => {
  const { endpoint } = await startServer()
  const dead = await startProxy({ to: endpoint })
  await dead.admit('refuse')
  const proxy = await startProxy({ to: dead.endpoint })
  const client = dial(proxy.endpoint)
  expect(await client.ends()).toBe('ECONNRESET')
  expect(proxy.counters).toMatchObject({ accepted: 1, dialFailed: 1 })
})
