import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createZookeeper } from '../../src/index.ts'

test('an event says why no server can be reached, once for each reason', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  const zk = createZookeeper({ connect: `127.0.0.1:${port}` })
  onTestFinished(() => zk.close())
  const reasons: string[] = []
  zk.events.on('connectFailed', ({ error }) => reasons.push(error.message))

  zk.get('/a').catch(() => undefined)

  await expect.poll(() => reasons.length).toBeGreaterThan(0)
  expect(reasons[0]).toMatch(/ECONNREFUSED/)
  expect(new Set(reasons).size).toBe(reasons.length)
})
