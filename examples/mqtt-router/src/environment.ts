import type { ZookeeperOptions } from '@ha/zookeeper'

/** How every process of the system finds the ensemble. */
export const ensemble: ZookeeperOptions = {
  connect: process.env['ZOOKEEPER_CONNECT'] ?? 'localhost:2181',
  // How long the users of a gateway that was killed count as connected to it.
  sessionTimeoutMs: 4_000,
}

/** The name of this gateway in the cluster. */
export const gatewayId: string = process.env['GATEWAY_ID'] ?? 'gw1'

/** Where others reach this process. */
export const address: string = process.env['ADDRESS'] ?? '127.0.0.1'

/** The port that this process listens on; 0 for any that is free. */
export const port: number = Number(process.env['PORT'] ?? 0)

/** The file in which messages wait for their users. */
export const mailboxFile: string = process.env['MAILBOX_FILE'] ?? 'mailbox.jsonl'
