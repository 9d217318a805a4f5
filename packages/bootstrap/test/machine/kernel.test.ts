import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { listeningAddresses } from '../kernel.ts'

test('the addresses of a process are read from the kernel', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  expect(listeningAddresses(process.pid)).toContain('127.0.0.1')

  server.close()
  await once(server, 'close')
  expect(listeningAddresses(process.pid)).not.toContain('127.0.0.1')
})
