import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type FakeCluster, startFakeGalera } from '@ha/testing/mariadb'
import { expect, onTestFinished, test } from 'vitest'
import { clientOf } from './harness.ts'

/** A balancer in front of a cluster: connections that exist stay, new ones go to the node that was chosen last. */
interface Balancer {
  readonly address: string
  send(node: number): void
}

async function startBalancer(cluster: FakeCluster): Promise<Balancer> {
  let { port } = cluster.node(1).endpoint
  const balancer = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    for (const socket of [client, server]) socket.on('error', () => undefined)
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
    client.pipe(server).pipe(client)
  })
  balancer.listen(0, '127.0.0.1')
  await once(balancer, 'listening')
  onTestFinished(() => void balancer.close())
  return {
    address: `127.0.0.1:${(balancer.address() as AddressInfo).port}`,
    send: (node) => {
      port = cluster.node(node).endpoint.port
    },
  }
}

async function balancedHarness() {
  const cluster = await startFakeGalera()
  onTestFinished(async () => {
    for (const node of cluster.nodes) node.resume()
    await cluster.close()
  })
  await cluster.query('CREATE TABLE t (k VARCHAR(80) PRIMARY KEY, v INT NOT NULL)')
  const balancer = await startBalancer(cluster)
  const { db } = clientOf(cluster, { hosts: [balancer.address], timeoutMs: 15_000 })
  return { cluster, balancer, db }
}

test('statements on a frozen server end with its silence, though another one answers behind the balancer', async () => {
  const { cluster, balancer, db } = await balancedHarness()
  await Promise.all([1, 2, 3].map(() => db.query('SELECT v FROM t')))
  balancer.send(2)
  cluster.node(1).pause()
  const startedAt = performance.now()
  const write = db.query("INSERT INTO t VALUES ('a', 1)").catch((error: unknown) => error)
  const read = db.query('SELECT k FROM t')
  expect(await write).toMatchObject({ outcome: 'unknown' })
  expect(await read).toEqual([])
  expect(performance.now() - startedAt).toBeLessThan(3_000)
  expect(await db.query("INSERT INTO t VALUES ('c', 1)")).toMatchObject({ affectedRows: 1 })
})
