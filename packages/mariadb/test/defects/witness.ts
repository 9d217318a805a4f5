import { connect, type Socket } from 'node:net'
import type { FakeCluster } from '@ha/testing/mariadb'
import {
  type Connection,
  type ConnectionConfig,
  createConnection,
  createPool,
  createPoolCluster,
  type Pool,
  type PoolCluster,
  type PoolClusterConfig,
  type PoolConfig,
} from 'mariadb'

/** The message of a test that fails because the driver was fixed. */
export const gone = 'this driver defect is gone: see src/driver, which works around it'

/** The message of a test that fails because a property of the driver is gone. */
export const lost = 'we rely on this: see src/driver before you update the driver'

/** A single connection and its socket. */
export interface Bare {
  readonly connection: Connection
  readonly socket: Socket
  /** Its events, in order. */
  readonly events: readonly string[]
}

/** Connects to the first node over a socket of the test. */
export async function bare(cluster: FakeCluster, config: ConnectionConfig = {}): Promise<Bare> {
  const { host, port } = cluster.node(1)
  const socket = connect({ host, port, noDelay: true })
  const connection = await createConnection({
    host,
    port,
    user: 'root',
    database: 'test',
    stream: (callback: (error: Error | undefined, stream: Socket) => void) => callback(undefined, socket),
    ...config,
  } as ConnectionConfig)
  const events: string[] = []
  connection.on('error', (error) => events.push(`error ${error.message}`))
  connection.on('end', () => events.push('end'))
  return { connection, socket, events }
}

/** Connects to the first node over a socket of the driver. */
export async function ordinary(cluster: FakeCluster, config: ConnectionConfig = {}): Promise<Connection> {
  const connection = await createConnection({ ...addressOf(cluster, 1), ...config })
  // The server ends before the connection.
  connection.on('error', () => undefined)
  return connection
}

/** The driver's own pool on the first node. */
export function poolOn(cluster: FakeCluster, config: PoolConfig): Pool {
  return createPool({ ...addressOf(cluster, 1), ...config })
}

/** The driver's own cluster over all nodes. */
export function clusterOn(cluster: FakeCluster, config: PoolClusterConfig, pool: PoolConfig): PoolCluster {
  const pools = createPoolCluster(config)
  for (const node of cluster.nodes)
    pools.add(`node${node.number}`, { ...addressOf(cluster, node.number), ...pool })
  return pools
}

function addressOf(cluster: FakeCluster, node: number): PoolConfig {
  const { host, port } = cluster.node(node)
  return { host, port, user: 'root', database: 'test', minimumIdle: 0 }
}

/** Whether a promise is still pending after so long. */
export async function isPendingAfter(waitMs: number, promise: Promise<unknown>): Promise<boolean> {
  const settled = promise.then(
    () => false,
    () => false,
  )
  return Promise.race([settled, pass(waitMs).then(() => true)])
}

/** How long a promise takes to settle. */
export async function settledAfterMs(promise: Promise<unknown>): Promise<number> {
  const start = performance.now()
  await promise.catch(() => undefined)
  return performance.now() - start
}

/** Waits this long. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
