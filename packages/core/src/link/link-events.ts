import { type HaError, isHaError } from '../errors/ha-error.ts'
import type { Events } from '../runtime/emitter.ts'
import type { LinkState } from './link-state.ts'

/** How a connection ended. */
export interface Loss {
  readonly endpoint: string
  readonly generation: number
  /** Why: `failed-back` when the move was planned, `internal` when a defect of ours made an end of it. */
  readonly error: Error
  /** How long the server had been quiet before it was given up; 0 when the end was announced. */
  readonly detectMs: number
}

/** From one connection to the next. */
export interface Failover extends Loss {
  readonly to: string
  /** From the loss to the next completed handshake. */
  readonly dialMs: number
  /** From the handshake until everything that traffic waits for was put back. */
  readonly restoreMs: number
}

export type LinkEvents<C> = {
  readonly state: LinkState<C>
  /** A connection was lost. A planned move is no loss: only its failover is told. */
  readonly lost: Loss
  readonly failover: Failover
  /**
   * The server refused a declaration for good: it is asked again on the next connection only. Told once, until it has
   * held.
   */
  readonly refused: { readonly key: string; readonly error: HaError }
}

/** A failover of a link, as the clients report it. */
export interface FailoverEvent extends Pick<Failover, 'to' | 'error' | 'detectMs' | 'dialMs' | 'restoreMs'> {
  /** The endpoint of the connection before, as `host:port`. */
  readonly from: string
  /** The code of the error that ended that connection. */
  readonly cause: string
}

/** Calls `listener` for each failover of a link; the returned function ends that. */
export function failoverEvents<C>(
  link: { readonly events: Events<LinkEvents<C>> },
  listener: (event: FailoverEvent) => void,
): () => void {
  return link.events.on('failover', ({ endpoint, to, error, detectMs, dialMs, restoreMs }) => {
    const cause = isHaError(error) ? error.code : 'lost'
    return listener({ from: endpoint, to, cause, error, detectMs, dialMs, restoreMs })
  })
}
