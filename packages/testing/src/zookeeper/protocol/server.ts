import type { DataTree } from '../tree/data-tree.ts'
import type { Effect, WriteAuthor } from '../tree/transaction.ts'
import type { Watches } from '../tree/watches.ts'
import type { ConnectRequest, ConnectResponse } from '../wire/connect.ts'
import type { WriteRequest } from '../wire/requests.ts'

/** A write, and who wants it. */
export interface WriteSubmission {
  readonly write: WriteRequest
  readonly author: WriteAuthor
  readonly connection: number
}

/** What was agreed upon: that it happens, or that it does not. */
export type CommitResult =
  | { readonly kind: 'done'; readonly zxid: bigint; readonly effects: readonly Effect[] }
  | { readonly kind: 'refused'; readonly zxid: bigint; readonly at: number; readonly code: number }

/** Which connection is meant. */
export interface ConnectionSession {
  readonly connection: number
  readonly session: bigint
}

/** What a node does for those who are connected to it. */
export interface KeeperServer {
  /** What it knows: as much as it has applied. */
  readonly tree: DataTree
  readonly watches: Watches
  /** Whether it belongs to a quorum, as far as it knows. */
  readonly isServing: boolean
  /** Whether the ensemble has nodes with a TTL. */
  readonly hasTtl: boolean
  /** The client has been heard. */
  touch(session: bigint): void
  /** Whether the session has gone to another connection, as far as this node can tell. */
  isMoved(whose: ConnectionSession): boolean
  /** Begins a session or takes one over; undefined when the connection has to end. */
  admit(request: ConnectRequest, connection: number): Promise<ConnectResponse | undefined>
  /** Asks the quorum; undefined when there will be no answer. Resolves when this node has applied what came of it. */
  submit(submission: WriteSubmission): Promise<CommitResult | undefined>
  /**
   * Resolves with true when this node knows all that was agreed upon before; false when it will not. Throws -112 or -118
   * when the session is over, or elsewhere.
   */
  sync(whose: ConnectionSession): Promise<boolean>
  /** What it answers to four letters. */
  word(word: string): string
}
