import { once } from 'node:events'
import { expect, it } from 'vitest'
import { dial, line, startProxy, startServer, until } from './peers.ts'

it('refuses while the door is shut, and listens on the same port again', async () => {
  const { proxy, client: before } = await line()
  const { endpoint } = proxy
  await proxy.admit('refuse')
  expect(await dial(endpoint).ends()).toBe('ECONNREFUSED')
  await proxy.admit('open')
  const after = dial(endpoint)
  await once(after.socket, 'connect')
  expect([proxy.endpoint, before.ending]).toEqual([endpoint, undefined])
})

it('lets in and says nothing, and calls no server', async () => {
  const { endpoint, peers } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await proxy.admit('silent')
  const client = dial(proxy.endpoint)
  client.say('hello?')
  await until(() => proxy.counters.turnedAway === 1)
  await proxy.admit('open')
  dial(proxy.endpoint)
  await until(() => peers.length === 1)
  expect([client.text, client.ending, peers[0]?.text]).toEqual(['', undefined, ''])
})

it('lets go of a silent client that ends', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await proxy.admit('silent')
  const client = dial(proxy.endpoint)
  client.socket.end()
  expect(await client.ends()).toBe('end')
})

it.each([
  { door: 'close', ending: 'end' },
  { door: 'reset', ending: 'ECONNRESET' },
] as const)('lets in and then: $door', async ({ door, ending }) => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await proxy.admit(door)
  const client = dial(proxy.endpoint)
  expect(await client.ends()).toBe(ending)
  expect(proxy.timeline.at(-1)).toMatchObject({ kind: 'turned-away', door })
})

it('leaves a client without an answer while the port is stalled, and lets it in afterwards', async () => {
  const { endpoint, peers } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await proxy.admit('stall')
  const stalled = dial(proxy.endpoint)
  // A whole round over another port takes longer than a connect that is answered.
  await dial(endpoint).hears('')
  await until(() => peers.length === 1)
  expect(stalled.socket.connecting).toBe(true)
  await proxy.admit('open')
  await once(stalled.socket, 'connect')
  await until(() => peers.length === 2)
})

it('moves the door in the order it was asked', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await Promise.all([proxy.admit('refuse'), proxy.admit('stall'), proxy.admit('close'), proxy.admit('open')])
  const doors = proxy.timeline.map((entry) => (entry.kind === 'door' ? entry.door : undefined))
  expect([doors, proxy.door]).toEqual([['open', 'refuse', 'stall', 'close', 'open'], 'open'])
})

it('opens the door when it heals', async () => {
  const { proxy } = await line()
  await proxy.admit('refuse')
  await proxy.heal()
  await once(dial(proxy.endpoint).socket, 'connect')
})

it('says where it cannot listen', async () => {
  const { endpoint } = await startServer()
  await expect(startProxy({ to: endpoint, listen: endpoint })).rejects.toMatchObject({
    code: 'config-invalid',
    message: expect.stringContaining(`${endpoint.port}`),
    cause: { code: 'EADDRINUSE' },
  })
})

it('keeps the clients that wait to be let in when only the treatment changes', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  const client = dial(proxy.endpoint)
  await proxy.admit('silent')
  await until(() => proxy.counters.turnedAway === 1)
  expect(client.ending).toBe(undefined)
})

it('cuts clients that it keeps in silence', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await proxy.admit('silent')
  const client = dial(proxy.endpoint)
  await until(() => proxy.counters.turnedAway === 1)
  proxy.cut('reset')
  expect(await client.ends()).toBe('ECONNRESET')
})

it('refuses after a port that could not be had back, and can be opened later', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await proxy.admit('refuse')
  const thief = await startProxy({ to: endpoint, listen: proxy.endpoint })
  await expect(proxy.admit('open')).rejects.toMatchObject({ code: 'config-invalid' })
  expect(proxy.door).toBe('refuse')
  await thief.close()
  await proxy.admit('open')
  await once(dial(proxy.endpoint).socket, 'connect')
})
