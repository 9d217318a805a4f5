import type { HaError, LinkStateKind } from '@ha/core'

/** The two connections of a client. */
export type Role = 'publish' | 'consume'

/** From one node to the next. */
export interface RabbitFailover {
  readonly role: Role
  readonly from: string
  readonly to: string
  /** The code of what happened: `lost`, `unresponsive`, `stalled`, `failed-back`, or `internal` for a defect of ours. */
  readonly cause: string
  readonly error: Error
  /** How long the node had been quiet before it was given up; 0 when the end was announced. */
  readonly detectMs: number
  /** From the loss to the next completed handshake. */
  readonly dialMs: number
  /** From the handshake until channels, topology and consumers were back. */
  readonly restoreMs: number
  /** How many unconfirmed messages are sent again. */
  readonly replayed: number
}

/** What a client tells. A listener that throws hurts only itself. */
export type RabbitEvents = {
  readonly state: {
    readonly role: Role
    readonly state: LinkStateKind
    readonly endpoint: string | undefined
  }
  readonly failover: RabbitFailover
  /** The broker asks publishers to wait: memory or disk is low. Messages stay in the outbox. */
  readonly blocked: { readonly reason: string }
  readonly unblocked: Readonly<Record<never, never>>
  /** The node answers and confirms nothing; another one is tried. */
  readonly stalled: { readonly unconfirmed: number; readonly forMs: number }
  /** An exchange, queue, binding or consumer was refused for good. Everything else goes on. */
  readonly topologyConflict: { readonly key: string; readonly error: HaError }
  /** The broker took a consumer away; it is put back. */
  readonly consumerLost: { readonly queue: string; readonly error: Error }
  /** A message that came again was answered without its handler, which had finished before. */
  readonly ackReplayed: { readonly queue: string; readonly messageId: string }
  /** A handler finished after its channel was gone, and the message has no id of its own: it will be handled twice. */
  readonly ackLost: { readonly queue: string }
  readonly handlerFailed: {
    readonly queue: string
    readonly messageId: string | undefined
    readonly error: Error
  }
}
