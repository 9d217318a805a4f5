import type { Value } from '../wire/value.ts'
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
