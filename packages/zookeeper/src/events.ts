import type { ZookeeperState } from './state.ts'
import type { ZookeeperError } from './zookeeper-error.ts'

/** From one server to the next. */
export interface ZookeeperFailover {
  readonly from: string
  readonly to: string
  /** The code of what happened: `lost`, `unresponsive`, `session-lost`, or `internal` for a defect of ours. */
  readonly cause: string
  readonly error: Error
  /** How long the server had been quiet before it was left; 0 when the end was announced. */
  readonly detectMs: number
  /** From the loss to the next completed handshake. */
  readonly dialMs: number
  /** From the handshake until the watches were set again. */
  readonly restoreMs: number
  /** Whether the session went on. */
  readonly sameSession: boolean
}

/** A session in the events: its id as the servers write it, such as `0x100a2b3c4d50000`. */
export interface SessionTold {
  readonly id: string
  readonly epoch: number
  readonly timeoutMs: number
}

/** What a client tells. A listener that throws hurts only itself. */
export type ZookeeperEvents = {
  readonly state: { readonly state: ZookeeperState; readonly endpoint: string | undefined }
  readonly failover: ZookeeperFailover
  /** A session was granted; `askedMs` differs from its `timeoutMs` where the servers’ limits are others. */
  readonly sessionBegun: SessionTold & { readonly askedMs: number }
  /** A session is over: everything that it held is not held any more. */
  readonly sessionLost: SessionTold & { readonly error: Error }
  /** An operation ended and nobody knows whether it happened. */
  readonly outcomeUnknown: { readonly name: string; readonly error: ZookeeperError }
  /**
   * A listener or a check of the user’s threw, the servers refused for good what the client keeps (as the chroot), or
   * something that we hold to be impossible happened. Nothing ends.
   */
  readonly defect: { readonly where: string; readonly error: Error }
}
