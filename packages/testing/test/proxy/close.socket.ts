import { getActiveResourcesInfo } from 'node:process'
import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import { bothWays, type FaultProxy } from '../../src/proxy/index.ts'
import { dial, line, startProxy, startServer, until } from './peers.ts'

const tcpHandles = (): number =>
  getActiveResourcesInfo().filter((name) => /^TCP(Server|Socket)/.test(name)).length

interface Situation {
  readonly name: string
  readonly arrange: (proxy: FaultProxy) => Promise<void> | void
}

const situations: readonly Situation[] = [
  { name: 'nothing is wrong', arrange: () => undefined },
  {
    name: 'nothing is read',
    arrange: (proxy) => proxy.set(bothWays({ kind: 'blackhole', how: 'stop-reading' })),
  },
  { name: 'ends are swallowed', arrange: (proxy) => proxy.set(bothWays({ kind: 'half-open' })) },
  { name: 'clients are refused', arrange: (proxy) => proxy.admit('refuse') },
  { name: 'clients are kept in silence', arrange: (proxy) => proxy.admit('silent') },
  { name: 'the port is stalled', arrange: (proxy) => proxy.admit('stall') },
]

it.each(situations)('ends both sides and leaves no handle: $name', async ({ arrange }) => {
  const before = tcpHandles()
  const { proxy, client, server } = await line()
  await arrange(proxy)
  await proxy.close()
  // The server of the test, and the two who talked through the proxy.
  expect(tcpHandles()).toBeLessThanOrEqual(before + 3)
  expect([await client.ends(), await server.ends()]).toEqual(['end', 'end'])
})

it('leaves no timer of bytes that were on their way', async () => {
  const clock = new FakeClock()
  const { proxy, connection, client } = await line({ clock })
  proxy.set({ up: [{ kind: 'latency', delayMs: 60_000 }] })
  client.say('on my way')
  await until(() => connection.up.heldBytes > 0)
  await proxy.close()
  expect(clock.pending).toBe(0)
})

it('ends clients that it kept in silence', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await proxy.admit('silent')
  const client = dial(proxy.endpoint)
  await until(() => proxy.counters.turnedAway === 1)
  await proxy.close()
  expect(await client.ends()).toBe('end')
})

it('closes once: calling it again gives the same promise', async () => {
  const { proxy } = await line()
  expect(proxy.close()).toBe(proxy.close())
})

it('waits for a door that is moving before it closes', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  const stalling = proxy.admit('stall')
  // One turn later the door is on its way: its thread has begun, and takes longer than that to listen.
  await new Promise((resolve) => setImmediate(resolve))
  await proxy.close()
  await stalling
  expect(await dial(proxy.endpoint).ends()).toBe('ECONNREFUSED')
})

it('moves no door when it is closed', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await proxy.close()
  await expect(proxy.admit('open')).rejects.toMatchObject({ code: 'closed' })
})
