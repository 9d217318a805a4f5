import type { Membership } from '../engine/membership.ts'
import type { Server } from '../engine/server.ts'

/** What a bond may ask of a node. */
export interface Peer {
  readonly number: number
  /** The server of the node while it is up. */
  readonly server: Server | undefined
}

/** What binds the nodes of a cluster together. It is told what happens to each of them. */
export interface Bond {
  /** What the node may do. */
  membershipOf(peer: Peer): Membership
  /** The node has come up. */
  started(peer: Peer): void
  /** The node stops in good order and says so to the others. */
  left(peer: Peer): void
  /** The others hear nothing of the node any more: it was killed, stands still, or is cut off. */
  lost(peer: Peer): void
  /** A node that was lost is heard again, with all that it knew. */
  back(peer: Peer): void
  /** Somebody from outside has committed this. */
  published(seqno: number): void
  /** Forgets what is under way. */
  end(): void
}
