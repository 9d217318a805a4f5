import type { ZookeeperOptions } from '@ha/zookeeper'

/** The ZooKeeper options of every process of the system. */
export const ensemble: ZookeeperOptions = {
  connect: process.env['ZOOKEEPER_CONNECT'] ?? 'localhost:2181',
  // After a gateway is killed, its presence nodes remain for this long.
  sessionTimeoutMs: 4_000,
}

/** The name of this gateway in the cluster. */
export const gatewayId: string = process.env['GATEWAY_ID'] ?? 'gw1'

/** The address at which other processes reach this one. */
export const address: string = process.env['ADDRESS'] ?? '127.0.0.1'

/** The port that this process listens on; 0 for any free port. */
export const port: number = Number(process.env['PORT'] ?? 0)

/** The file that keeps messages until they can be delivered. */
export const mailboxFile: string = process.env['MAILBOX_FILE'] ?? 'mailbox.jsonl'
