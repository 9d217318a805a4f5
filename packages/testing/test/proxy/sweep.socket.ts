import { expect, it } from 'vitest'
import { type Cut, sweepBytes } from '../../src/proxy/index.ts'
import { dial, line, startProxy, startServer, until } from './peers.ts'

const greeting = 'hello'

it.each(['close', 'reset'] as const)(
  'cuts by %s at every byte of an exchange, and behind it',
  async (how) => {
    const { endpoint } = await startServer(greeting)
    const proxy = await startProxy({ to: endpoint })
    const heard: string[] = []
    await sweepBytes({
      proxy,
      direction: 'down',
      fault: (afterBytes): Cut => ({ kind: 'cut', how, afterBytes }),
      toByte: greeting.length,
      attempt: async () => {
        const client = dial(proxy.endpoint)
        await client.ends()
        heard.push(client.text)
      },
    })
    expect(heard).toEqual(['', 'h', 'he', 'hel', 'hell', 'hello'])
  },
)

it('visits the positions it is asked for', async () => {
  const { proxy } = await line()
  const visited: number[] = []
  await sweepBytes({
    proxy,
    direction: 'up',
    fault: (afterBytes) => ({ kind: 'corrupt', afterBytes }),
    fromByte: 2,
    toByte: 9,
    everyBytes: 3,
    attempt: async (afterBytes) => {
      visited.push(afterBytes)
    },
  })
  expect(visited).toEqual([2, 5, 8])
})

it('begins each attempt without the connections of the one before', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  const open: number[] = []
  await sweepBytes({
    proxy,
    direction: 'up',
    fault: (afterBytes) => ({ kind: 'duplicate', afterBytes }),
    toByte: 3,
    attempt: async () => {
      await until(() => proxy.connections.length === 0)
      dial(proxy.endpoint)
      await until(() => proxy.connections.length === 1)
      open.push(proxy.connections.length)
    },
  })
  expect(open).toEqual([1, 1, 1, 1])
})

it('says at which byte an attempt failed, keeps the cause, and heals', async () => {
  const { proxy } = await line()
  const cause = new Error('left a socket open')
  const sweep = sweepBytes({
    proxy,
    direction: 'down',
    fault: (afterBytes) => ({ kind: 'cut', how: 'reset', afterBytes }),
    toByte: 9,
    attempt: async (afterBytes) => {
      if (afterBytes === 3) throw cause
    },
  })
  await expect(sweep).rejects.toMatchObject({
    message: "the attempt with 'cut' after byte 3 down failed: left a socket open",
    cause,
  })
  expect(proxy.faults).toEqual({ up: [], down: [] })
})
