import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { acceptsConnections, isPortFree, portHolder } from '../../src/machine/ports.ts'

test('a port that is listened on is not free, accepts, and names its holder', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0

  expect(await isPortFree(port)).toBe(false)
  expect(await acceptsConnections({ host: '127.0.0.1', port })).toBe(true)
  expect(portHolder(port)).toContain(`pid ${process.pid}`)

  server.close()
  await once(server, 'close')
  expect(await isPortFree(port)).toBe(true)
  expect(await acceptsConnections({ host: '127.0.0.1', port })).toBe(false)
})
