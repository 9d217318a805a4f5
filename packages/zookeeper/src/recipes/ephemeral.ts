import type { Events } from '@ha/core'
import type { Bytes } from '../node.ts'
import type { CallOptions } from '../operations/operations.ts'

/** How an {@link Ephemeral} stands. */
export type EphemeralState =
  /** It is not there yet, or not any more; `reason` says why, as far as that is known. */
  | { readonly kind: 'pending'; readonly reason: Error | undefined }
  /** The node is there and belongs to the session of this client, which is not over. */
  | { readonly kind: 'held'; readonly path: string; readonly czxid: bigint }
  /** Withdrawn: the node is deleted, as soon as a connection allows. */
  | { readonly kind: 'withheld' }
  | { readonly kind: 'closed' }

export type EphemeralEvents = {
  readonly state: EphemeralState
}

/**
 * A node that is there while this client is: made again by itself in each session that follows, and when somebody
 * deletes it. One of the current session is never deleted to be made again.
 */
export interface Ephemeral extends Events<EphemeralEvents>, AsyncDisposable {
  /** The path of the node; of a sequential one, as it was asked for until the node is there. */
  readonly path: string
  readonly state: EphemeralState
  /** Resolves when it is held; rejects with `timed-out` and the reason why it is not, or with `closed`. */
  ready(limit?: CallOptions): Promise<void>
  /** Gives the node other data. Resolves when the servers have them; when it rejects, they are written later. */
  update(data: Bytes | (() => Bytes), limit?: CallOptions): Promise<void>
  /** Deletes the node and keeps it away. Resolves when it is gone; when it rejects, it is deleted later. */
  withdraw(limit?: CallOptions): Promise<void>
  /** Makes the node again after {@link withdraw}. Resolves when it is held; when it rejects, it is made later. */
  restore(limit?: CallOptions): Promise<void>
  /**
   * Deletes the node for good. Idempotent, never rejects: what cannot be deleted in time is deleted when the connection
   * is back, or ends with the session.
   */
  close(limit?: Pick<CallOptions, 'timeoutMs'>): Promise<void>
}
