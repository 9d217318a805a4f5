import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import { bothWays } from '../../src/proxy/index.ts'
import { dial, line, startProxy, startServer, until } from './peers.ts'

const text = 'the quick brown fox jumps over the lazy dog'

async function sliceSizes(seed: number): Promise<number[]> {
  const { proxy, client, server } = await line({ seed })
  proxy.set({ up: [{ kind: 'slice', minBytes: 1, maxBytes: 9 }] })
  client.say(text)
  await server.hears(text)
  return server.chunks.map(({ length }) => length)
}

/** When the byte of the second connection passes, in steps of 10 ms, after the first one has said so many words. */
async function jitterMs(seed: number, words: number): Promise<number> {
  const clock = new FakeClock()
  const { proxy, connection, client } = await line({ seed, clock })
  proxy.set({ up: [{ kind: 'latency', delayMs: 0, jitterMs: 1000 }] })
  for (let word = 1; word <= words; word++) {
    client.say('x')
    await until(() => connection.up.readBytes === word)
  }
  dial(proxy.endpoint).say('y')
  await until(() => proxy.connections[1]?.up.readBytes === 1)
  while (proxy.connections[1]?.up.passedBytes === 0) await clock.advance(10)
  return clock.now()
}

it('draws the same slices from the same seed', async () => {
  expect(await sliceSizes(42)).toEqual(await sliceSizes(42))
})

it('draws slices of different sizes, and others from another seed', async () => {
  const sizes = await sliceSizes(42)
  expect(new Set(sizes).size).toBeGreaterThan(2)
  expect(await sliceSizes(43)).not.toEqual(sizes)
})

it('draws other slices for the next connection', async () => {
  const { endpoint } = await startServer(text)
  const proxy = await startProxy({ to: endpoint })
  proxy.set({ down: [{ kind: 'slice', minBytes: 1, maxBytes: 9 }] })
  const clients = [dial(proxy.endpoint), dial(proxy.endpoint)]
  await Promise.all(clients.map((client) => client.hears(text)))
  const [first, second] = clients.map(({ chunks }) => chunks.map(({ length }) => length))
  expect(second).not.toEqual(first)
})

it('draws other slices for the other direction', async () => {
  const { endpoint, peers } = await startServer(text)
  const proxy = await startProxy({ to: endpoint })
  proxy.set(bothWays({ kind: 'slice', minBytes: 1, maxBytes: 9 }))
  const client = dial(proxy.endpoint)
  client.say(text)
  await client.hears(text)
  await until(() => peers[0]?.text === text)
  const [up, down] = [peers[0]!, client].map(({ chunks }) => chunks.map(({ length }) => length))
  expect(up).not.toEqual(down)
})

it('draws the jitter of one connection whatever another one does', async () => {
  expect(await jitterMs(42, 0)).toBe(await jitterMs(42, 5))
})

it('draws another jitter from another seed', async () => {
  expect(await jitterMs(42, 0)).not.toBe(await jitterMs(43, 0))
})
