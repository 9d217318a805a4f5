/** One session of the client, from the server's grant until it is over for us. */
export interface LiveSession {
  readonly id: bigint
  /** 1 for the first session of a client, one more for each after it. */
  readonly epoch: number
  /** What the server granted, in milliseconds. */
  readonly timeoutMs: number
  /** Fires when the session is over for us: by our own clock, by the server's word, or because the client is closed. */
  readonly signal: AbortSignal
  /** When the latest request was sent that any server has answered, by the clock. */
  readonly confirmedAtMs: number
  /**
   * The clock time until which no server can have ended it. A server that we are connected to may itself be cut off
   * from the leader, who alone ends sessions: so this is counted from the sending of the latest request of which the
   * leader must have known when a later one was answered. What is held by the session is certain until then, and no
   * longer; the session itself is given up later, when nobody has answered for its whole timeout.
   */
  readonly certainUntilMs: number
  /** Keeps asking the leader, so that the session is always certain for a while, until the returned function is called. */
  keepCertain(): () => void
}
