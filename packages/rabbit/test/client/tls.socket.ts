import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { createServer, type Server } from 'node:tls'
import { until } from '@ha/core/testing'
import { type FakeCluster, localhostCertificate, startFakeCluster } from '@ha/testing/rabbit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRabbit, quorum, type Rabbit } from '../../src/index.ts'
import { settlement } from '../settlement.ts'

const { cert, key } = localhostCertificate

describe('over TLS', () => {
  it('a client publishes, and goes on at the next node when one is killed', async () => {
    const { rabbit, cluster } = await tlsBench({ ca: cert })
    const publisher = rabbit.publisher({ key: 'bill' })
    await publisher.publish({})
    await cluster.node(1).kill()
    expect(await publisher.publish({})).toMatchObject({
      endpoint: rabbit.health().publish.members[1]?.endpoint,
    })
  })

  it('a client leaves a node that falls silent, and not one that only has no news', async () => {
    const { rabbit, cluster } = await tlsBench({ ca: cert })
    const causes: string[] = []
    rabbit.events.on('failover', ({ role, cause }) => void causes.push(`${role} ${cause}`))
    await rabbit.publisher({ key: 'bill' }).publish({})
    cluster.node(1).freeze()
    await until('it has moved', () => causes.length === 2)
    expect(causes.sort()).toEqual(['consume unresponsive', 'publish unresponsive'])
  })

  it('a server whose certificate nobody vouches for is refused', async () => {
    const { rabbit } = await tlsBench({})
    await expect(rabbit.ready()).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/self.signed certificate/),
    })
    expect(await settlement(rabbit.publisher({ key: 'bill' }).publish({}, { timeoutMs: 100 }))).toBe(
      'timed-out not-done',
    )
  })
})

// A cluster whose nodes stand behind TLS, as with a load balancer that ends it.
async function tlsBench(tls: object): Promise<{ readonly rabbit: Rabbit; readonly cluster: FakeCluster }> {
  const cluster = await startFakeCluster({ nodes: 2 })
  const servers = await Promise.all(cluster.nodes.map(({ port }) => tlsBefore(port)))
  const rabbit = createRabbit({
    addresses: servers.map((server) => `localhost:${(server.address() as AddressInfo).port}`),
    strategy: 'sequential',
    tls,
    topology: { queues: { bill: quorum() } },
    liveness: { probeAfterMs: 100, probeTimeoutMs: 200 },
  })
  onTestFinished(async () => {
    await rabbit.close({ timeoutMs: 500 })
    await cluster.close()
    for (const server of servers) server.close()
  })
  return { rabbit, cluster }
}

async function tlsBefore(port: number): Promise<Server> {
  const server = createServer({ cert, key }, (secure) => {
    const plain = connect(port, '127.0.0.1')
    plain.on('error', () => secure.destroy())
    secure.on('error', () => plain.destroy())
    plain.on('close', () => secure.destroy())
    secure.on('close', () => plain.destroy())
    secure.pipe(plain).pipe(secure)
  })
  server.on('tlsClientError', () => undefined)
  server.listen(0, 'localhost')
  await once(server, 'listening')
  return server
}
