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

/** What a bond may ask of a node. */
export interface Peer {
  readonly number: number
  /** The server of the node while it is up. */
  readonly server: Server | undefined
}

/** What binds the nodes of a cluster together. It is told what happens to each of them. */
export interface ReplicationGroup {
  /** What the node may do. */
  membershipOf(peer: Peer): Membership
  /** The node has come up. */
  started(peer: Peer): void
  /** The node stops in good order and says so to the others. */
  left(peer: Peer): void
  /** The others hear nothing of the node any more: it was killed, stands still, or is cut off. */
  lost(peer: Peer): void
  /** A node that was lost is heard again, with all that it knew. */
  returned(peer: Peer): void
  /** Somebody from outside has committed this. */
  published(seqno: number): void
  /** Forgets what is under way. */
  end(): void
}
