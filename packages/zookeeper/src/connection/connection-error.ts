import type { HaError } from '@ha/core'

/** What became of a request that the server did not answer. */
export type Unanswered =
  /** It was sent, and the connection ended: nobody knows whether it was done. */
  | 'lost'
  /** It was never sent: the connection was over. */
  | 'over'
  /** It was never sent: as much as may be is under way. */
  | 'full'

/** Why a request has no answer. */
export class ConnectionError extends Error {
  readonly kind: Unanswered
  /** Whether the request may have reached the server. */
  readonly sent: boolean

  /** The cause is what the connection ended with. */
  constructor(kind: Unanswered, request: string, cause?: HaError) {
    super(`${request}: ${reasons[kind]}`, cause === undefined ? undefined : { cause })
    this.name = 'ConnectionError'
    this.kind = kind
    this.sent = kind === 'lost'
  }
}

const reasons: Readonly<Record<Unanswered, string>> = {
  lost: 'the connection ended before the answer',
  over: 'not sent, because the connection is over',
  full: 'not sent, because too much is under way on the connection',
}
