/** Something that only one may hold, held: a lock, a place in a semaphore, leadership. */
export interface Lease {
  /**
   * The fencing token: the czxid of the node that stands for the lease. Whoever holds it later has a higher one, so a
   * store that remembers the highest can turn away whoever came too late.
   */
  readonly token: bigint
  /** The node that stands for it. */
  readonly path: string
  /** Fires when the lease is over: released, its session lost by our own clock, or its node deleted by somebody. */
  readonly signal: AbortSignal
  /**
   * True while nobody else can hold it, for at least `marginMs` more (default 0): by our own monotonic clock, so it is
   * false in the first statement after a freeze that was too long, before any event has been heard.
   */
  valid(marginMs?: number): boolean
  /** Throws `lease-over` unless {@link valid}. */
  assert(marginMs?: number): void
  /** Gives it back. Idempotent; never rejects: what cannot be deleted now is deleted when the connection is back. */
  release(): Promise<void>
}
