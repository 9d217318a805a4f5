import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import { bothWays } from '../../src/proxy/index.ts'
import { line, until } from './peers.ts'

it('passes bytes both ways, and each end by itself', async () => {
  const { client, server } = await line()
  client.say('question')
  client.socket.end()
  await server.ends()
  server.say('answer')
  server.socket.end()
  await client.ends()
  expect([server.text, client.text]).toEqual(['question', 'answer'])
})

it('passes a reset of the client on to the server', async () => {
  const { client, server } = await line()
  client.socket.resetAndDestroy()
  expect(await server.ends()).toBe('ECONNRESET')
})

it('passes a reset of the server on to the client, behind what was sent before', async () => {
  const clock = new FakeClock()
  const { proxy, connection, client, server } = await line({ clock })
  proxy.set({ down: [{ kind: 'latency', delayMs: 10 }] })
  server.say('last words')
  await until(() => connection.down.heldBytes === 10)
  server.socket.resetAndDestroy()
  await until(() => proxy.timeline.some(({ kind }) => kind === 'ended'))
  await clock.advance(10)
  expect([await client.ends(), client.text]).toEqual(['ECONNRESET', 'last words'])
})

it('resets a client that writes to a server that has closed', async () => {
  const { client, server } = await line()
  server.socket.end()
  await client.ends()
  server.socket.destroy()
  client.ending = undefined
  await until(() => {
    client.say('anybody there?')
    return client.ending !== undefined
  })
  expect(client.ending).toMatch(/EPIPE|ECONNRESET/)
})

it('delays what flows one way and not the other', async () => {
  const clock = new FakeClock()
  const { proxy, connection, client, server } = await line({ clock })
  proxy.set({ down: [{ kind: 'latency', delayMs: 200 }] })
  client.say('quick')
  await server.hears('quick')
  server.say('slow')
  await until(() => connection.down.heldBytes === 4)
  await clock.advance(199)
  expect(connection.down.passedBytes).toBe(0)
  await clock.advance(1)
  await client.hears('slow')
})

it('carries no more than the bandwidth', async () => {
  const clock = new FakeClock()
  const { proxy, connection, client } = await line({ clock })
  proxy.set({ up: [{ kind: 'bandwidth', bytesPerSecond: 1000, burstBytes: 100 }] })
  client.say('x'.repeat(1000))
  await until(() => connection.up.readBytes === 1000)
  await clock.advance(500)
  expect(connection.up.passedBytes).toBe(600)
})

it('stops reading in a frozen hole, so that the sender cannot write on, and loses nothing', async () => {
  const { proxy, client, server } = await line()
  proxy.set(bothWays({ kind: 'blackhole', how: 'stop-reading' }))
  const most = 64 * 1024 * 1024
  const piece = Buffer.alloc(1024 * 1024)
  let written = 0
  while (written < most && client.socket.writableLength === 0) {
    client.socket.write(piece)
    written += piece.length
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(written).toBeLessThan(most)
  await proxy.heal()
  await until(() => Buffer.concat(server.chunks).length === written)
})

it('acknowledges and loses what a discarding hole swallows', async () => {
  const { proxy, connection, client, server } = await line()
  proxy.set({ up: [{ kind: 'blackhole', how: 'discard' }] })
  client.say('lost')
  await until(() => connection.up.droppedBytes === 4)
  await proxy.heal()
  client.say('found')
  await server.hears('found')
})

it('drops one way only', async () => {
  const { proxy, client, server } = await line()
  proxy.set({ up: [{ kind: 'blackhole', how: 'discard' }] })
  client.say('lost')
  server.say('heard')
  await client.hears('heard')
  expect(server.text).toBe('')
})

it('lets no end out of a hole before it is healed', async () => {
  const { proxy, client, server } = await line()
  proxy.set({ down: [{ kind: 'blackhole', how: 'discard' }] })
  server.socket.end()
  await until(() => proxy.timeline.some(({ kind }) => kind === 'ended'))
  client.say('still open')
  await server.hears('still open')
  expect(client.ending).toBe(undefined)
  await proxy.heal()
  expect(await client.ends()).toBe('end')
})

it.each([
  { how: 'reset', client: 'ECONNRESET', server: 'ECONNRESET' },
  { how: 'close', client: 'end', server: 'end' },
] as const)('cuts by $how behind exactly so many bytes', async ({ how, ...endings }) => {
  const { proxy, client, server } = await line()
  proxy.set({ down: [{ kind: 'cut', how, afterBytes: 3 }] })
  server.say('abcdef')
  expect([await client.ends(), await server.ends()]).toEqual([endings.client, endings.server])
  expect(client.text).toBe('abc')
})

it('cuts one way and leaves the other open', async () => {
  const { proxy, client, server } = await line()
  proxy.set({ down: [{ kind: 'cut', how: 'end', afterBytes: 3 }] })
  server.say('abcdef')
  await client.ends()
  client.say('I can still talk')
  await server.hears('I can still talk')
  expect([client.text, client.ending, server.ending]).toEqual(['abc', 'end', undefined])
})

it('cuts after a time in which nothing was said', async () => {
  const clock = new FakeClock()
  const { proxy, client } = await line({ clock })
  proxy.set({ up: [{ kind: 'cut', how: 'reset', afterMs: 1000 }] })
  await clock.advance(1000)
  expect(await client.ends()).toBe('ECONNRESET')
})

it('counts the onset of a cut from the first byte of a connection that comes later', async () => {
  const { proxy, client: first, server } = await line()
  server.say('0123456789')
  await first.hears('0123456789')
  proxy.set({ down: [{ kind: 'cut', how: 'close', afterBytes: 4 }] })
  server.say('abcdef')
  await first.ends()
  expect(first.text).toBe('0123456789abcd')
})

it('keeps a client believing in a server that is gone', async () => {
  const { proxy, connection, client, server } = await line()
  proxy.set({ down: [{ kind: 'half-open' }] })
  server.socket.resetAndDestroy()
  await until(() => proxy.timeline.some(({ kind }) => kind === 'ended'))
  client.say('are you there?')
  await until(() => connection.up.droppedBytes > 0)
  expect(client.ending).toBe(undefined)
  await proxy.heal()
  expect(await client.ends()).toBe('ECONNRESET')
})

it('passes the end late', async () => {
  const clock = new FakeClock()
  const { proxy, client, server } = await line({ clock })
  proxy.set({ down: [{ kind: 'slow-close', delayMs: 5000 }] })
  server.say('bye')
  server.socket.end()
  await client.hears('bye')
  await until(() => proxy.timeline.some(({ kind }) => kind === 'ended'))
  await clock.advance(4999)
  expect(client.ending).toBe(undefined)
  await clock.advance(1)
  expect(await client.ends()).toBe('end')
})

it('slices so that a receiver in this process reads byte by byte', async () => {
  const { proxy, client, server } = await line()
  proxy.set({ up: [{ kind: 'slice', maxBytes: 1 }] })
  client.say('abcdef')
  await server.hears('abcdef')
  expect(server.chunks.map(String)).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
})

it('joins what comes in pieces', async () => {
  const { proxy, connection, client, server } = await line()
  proxy.set({ up: [{ kind: 'coalesce', minBytes: 3, maxWaitMs: 60_000 }] })
  for (const [index, letter] of ['a', 'b', 'c'].entries()) {
    client.say(letter)
    await until(() => connection.up.readBytes === index + 1)
  }
  await server.hears('abc')
  expect(server.chunks.map(String)).toEqual(['abc'])
})

it('changes one byte and doubles another', async () => {
  const { proxy, client, server } = await line()
  proxy.set({
    up: [
      { kind: 'corrupt', afterBytes: 1, xor: 0x20 },
      { kind: 'duplicate', afterBytes: 3 },
    ],
  })
  client.say('abcd')
  await server.hears('aBcdd')
})
