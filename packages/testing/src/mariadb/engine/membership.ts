import type { Value } from '../wire/value.ts'
import type { Server } from './server.ts'
import type { Changes } from './store.ts'
import type { Transaction } from './transaction.ts'

/** Names and values, as `SHOW STATUS` and `SHOW VARIABLES` list them. */
export type Values = Readonly<Record<string, Value>>

/** What its cluster lets a node do, and what it says of it. */
export interface Membership {
  /** Makes a transaction's changes durable and returns their number; may wait for others; rejects with a refusal. */
  commit(changes: Changes, by: Committer): Promise<number>
  /** The values of `SHOW STATUS` that the cluster gives the node. */
  status(): Values
  /** The values of variables that the cluster gives the node. */
  variables(): Values
  /** How the node follows another one, as `SHOW REPLICA STATUS` says it; undefined for one that follows nobody. */
  replica(): Values | undefined
}

/** Whose changes they are. */
export interface Committer {
  readonly server: Server
  readonly transaction: Transaction
}
