import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import { Timeline } from '../../src/proxy/timeline.ts'
import { dial, line, startProxy, startServer, until } from './peers.ts'

it('tells the life of a connection in order', async () => {
  const { proxy, client, server } = await line()
  client.say('ping')
  await server.hears('ping')
  server.say('pong')
  await client.hears('pong')
  client.socket.end()
  await server.ends()
  server.socket.end()
  await until(() => proxy.connections.length === 0)
  expect(proxy.timeline.map(({ kind }) => kind)).toEqual([
    'door',
    'accepted',
    'dialled',
    'first-byte',
    'first-byte',
    'ended',
    'ended',
    'closed',
  ])
})

it('dates what happens by the clock of the proxy', async () => {
  const clock = new FakeClock()
  const { proxy, connection, client } = await line({ clock })
  await clock.advance(1000)
  client.say('a')
  await until(() => connection.up.readBytes === 1)
  await clock.advance(500)
  client.say('b')
  await until(() => connection.up.readBytes === 2)
  expect(connection.up).toMatchObject({ firstByteAtMs: 1000, lastByteAtMs: 1500 })
  expect(proxy.timeline.at(-1)).toEqual({ kind: 'first-byte', connection: 1, direction: 'up', atMs: 1000 })
})

it('knows when nothing has been said yet', async () => {
  const { connection } = await line()
  expect(connection.up).toEqual({ readBytes: 0, passedBytes: 0, droppedBytes: 0, heldBytes: 0 })
})

it('shows a herd: who called, and when', async () => {
  const clock = new FakeClock()
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint, clock })
  for (const callers of [1, 3]) {
    const before = proxy.counters.accepted
    for (let caller = 0; caller < callers; caller++) dial(proxy.endpoint)
    await until(() => proxy.counters.accepted === before + callers)
    await clock.advance(100)
  }
  const accepted = proxy.timeline.filter(({ kind }) => kind === 'accepted')
  expect(accepted.map(({ atMs }) => atMs)).toEqual([0, 100, 100, 100])
})

it('counts what open and closed connections carried', async () => {
  const { proxy, client, server } = await line()
  client.say('abc')
  await server.hears('abc')
  server.say('de')
  await client.hears('de')
  const whileOpen = proxy.counters
  proxy.cut('reset')
  await until(() => proxy.connections.length === 0)
  const carried = { accepted: 1, turnedAway: 0, dialFailed: 0, upBytes: 3, downBytes: 2 }
  expect([whileOpen, proxy.counters]).toEqual([
    { ...carried, closed: 0 },
    { ...carried, closed: 1 },
  ])
})

it('tells a server that resets from one that could not be reached', async () => {
  const { proxy, client, server } = await line()
  server.socket.resetAndDestroy()
  await client.ends()
  expect(proxy.counters.dialFailed).toBe(0)
})

it('forgets the oldest when very much has happened', () => {
  const timeline = new Timeline()
  for (let atMs = 0; atMs < 100_002; atMs++) timeline.record(atMs, { kind: 'door', door: 'open' })
  expect([timeline.entries.length, timeline.entries[0]?.atMs]).toEqual([100_000, 2])
})

it('records faults and cuts with the connection they were for', async () => {
  const { proxy, connection } = await line()
  proxy.set({ up: [{ kind: 'half-open' }] })
  connection.set({ down: [{ kind: 'cut', how: 'close' }] })
  await until(() => proxy.connections.length === 0)
  const faults = proxy.timeline.filter(({ kind }) => kind === 'faults' || kind === 'cut')
  expect(faults).toMatchObject([
    { kind: 'faults', faults: { up: [{ kind: 'half-open' }], down: [] } },
    { kind: 'faults', connection: 1, faults: { down: [{ kind: 'cut', how: 'close' }] } },
    { kind: 'cut', connection: 1, direction: 'down', how: 'close' },
  ])
})
