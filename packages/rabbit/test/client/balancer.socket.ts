import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { startFakeCluster } from '@ha/testing/rabbit'
import { expect, onTestFinished, test } from 'vitest'
import { createRabbit, quorum } from '../../src/index.ts'

test('a publish to a frozen broker moves on with its silence, though another one answers behind the balancer', async () => {
  const first = await startFakeCluster()
  const second = await startFakeCluster({ version: '3.11.2' })
  let { port } = first.node(1)
  const balancer = createServer((client) => {
    const broker = connect(port, '127.0.0.1')
    for (const socket of [client, broker]) socket.on('error', () => undefined)
    client.on('close', () => broker.destroy())
    client.pipe(broker).pipe(client)
  })
  balancer.listen(0, '127.0.0.1')
  await once(balancer, 'listening')
  const rabbit = createRabbit({
    addresses: [`127.0.0.1:${(balancer.address() as AddressInfo).port}`],
    topology: { queues: { q: quorum() } },
  })
  onTestFinished(async () => {
    await rabbit.close({ timeoutMs: 300 })
    balancer.close()
    await Promise.all([first.close(), second.close()])
  })
  const publisher = rabbit.publisher({ key: 'q' })
  await publisher.publish({ n: 1 })
  port = second.node(1).port
  first.node(1).freeze()
  const startedAt = performance.now()
  await publisher.publish({ n: 2 })
  expect(performance.now() - startedAt).toBeLessThan(4_000)
  expect(second.queue('q')).toMatchObject({ ready: 1 })
})
