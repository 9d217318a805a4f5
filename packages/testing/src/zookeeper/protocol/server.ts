import type { DataTree } from '../tree/data-tree.ts'
import type { Effect, WriteAuthor } from '../tree/transaction.ts'
import type { Watches } from '../tree/watches.ts'
import type { ConnectRequest, ConnectResponse } from '../wire/connect.ts'
import type { WriteRequest } from '../wire/requests.ts'

/** A write, its author and its connection. */
export interface WriteSubmission {
  readonly write: WriteRequest
  readonly author: WriteAuthor
  readonly connection: number
}

/** The result of a write: committed, or rejected with a code. */
export type CommitResult =
  | { readonly kind: 'done'; readonly zxid: bigint; readonly effects: readonly Effect[] }
  | { readonly kind: 'refused'; readonly zxid: bigint; readonly at: number; readonly code: number }

/** A session on a connection. */
export interface ConnectionSession {
  readonly connection: number
  readonly session: bigint
}

/** The server of one node, as its connections use it. */
export interface KeeperServer {
  /** The tree after the transactions that the node has applied. */
  readonly tree: DataTree
  readonly watches: Watches
  /** Whether the node assumes that it belongs to a quorum. */
  readonly isServing: boolean
  /** Whether the ensemble supports nodes with a TTL. */
  readonly hasTtl: boolean
  /** Whether `exists` needs the permission to read. */
  readonly existsNeedsRead: boolean
  /** The data version of new nodes. */
  readonly firstVersion: number
  /** The number of the first sequential child. */
  readonly firstSequence: number
  /** A client of this session has sent something. */
  touch(session: bigint): void
  /** Whether the session is on another connection, as far as this node knows. */
  isMoved(whose: ConnectionSession): boolean
  /** Begins a session or takes one over; undefined when the connection has to end. */
  admit(request: ConnectRequest, connection: number): Promise<ConnectResponse | undefined>
  /**
   * Submits a write to the quorum; undefined when it is never answered. Resolves when this node has applied the
   * result.
   */
  submit(submission: WriteSubmission): Promise<CommitResult | undefined>
  /**
   * Resolves with true when this node has applied all earlier commits; false when it never will. Throws -112 or -118
   * when the session is over, or elsewhere.
   */
  sync(whose: ConnectionSession): Promise<boolean>
  /** The answer to a four-letter word. */
  word(word: string): string
}
