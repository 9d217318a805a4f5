import type { Value } from '../wire/values.ts'
import type { Server } from './server.ts'
import type { Changes } from './store.ts'
import type { Transaction } from './transaction.ts'

/** Names and values, as `SHOW STATUS` and `SHOW VARIABLES` list them. */
export type Values = Readonly<Record<string, Value>>

/** What its cluster allows a node, and which values it gives it. */
export interface Membership {
  /** Makes a transaction's changes durable and returns their number; may wait for other nodes; rejects with a server error. */
  commit(changes: Changes, by: Committer): Promise<number>
  /** The values of `SHOW STATUS` that the cluster gives the node. */
  status(): Values
  /** The values of variables that the cluster gives the node. */
  variables(): Values
  /** The row of `SHOW REPLICA STATUS`; undefined for a node that follows no other one. */
  replica(): Values | undefined
}

/** The server and the transaction that commit. */
export interface Committer {
  readonly server: Server
  readonly transaction: Transaction
}

/** A node as its replication group sees it. */
export interface Peer {
  readonly number: number
  /** The server of the node while it is up. */
  readonly server: Server | undefined
}

/** How the nodes of a cluster replicate. It is notified of what happens to each node. */
export interface ReplicationGroup {
  /** What the group allows the node. */
  membershipOf(peer: Peer): Membership
  /** The node has started. */
  nodeStarted(peer: Peer): void
  /** The node leaves gracefully. */
  nodeLeft(peer: Peer): void
  /** The other nodes receive nothing from the node any more: it was killed, is paused, or is isolated. */
  nodeLost(peer: Peer): void
  /** A lost node is connected again, with its state. */
  nodeReturned(peer: Peer): void
  /** The test itself has committed this, past all nodes. */
  committedByTest(seqno: number): void
  /** Cancels everything in progress. */
  end(): void
}
