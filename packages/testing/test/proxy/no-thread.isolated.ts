import { expect, it, vi } from 'vitest'
import { dial, startProxy, startServer } from './peers.ts'

vi.mock('node:worker_threads', () => ({
  Worker: class {
    constructor() {
      throw new Error('no more threads')
    }
  },
}))

it('refuses clients, and says so, when the port cannot be stalled', async () => {
  const { endpoint } = await startServer()
  const proxy = await startProxy({ to: endpoint })
  await expect(proxy.admit('stall')).rejects.toMatchObject({ cause: { message: 'no more threads' } })
  expect([proxy.door, await dial(proxy.endpoint).ends()]).toEqual(['refuse', 'ECONNREFUSED'])
})
