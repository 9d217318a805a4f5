import type { Driver } from '../driver.ts'

/** All that a protocol has to provide for a pool: a {@link Driver} whose connections are lent again and again. */
export interface PoolDriver<C, R> extends Driver<C> {
  /** Reads what the server says of itself, on the monitor's own connection. */
  read(connection: C, signal: AbortSignal): Promise<R>
  /** Whether the connection may be lent again: nothing under way, nothing left behind. Decides; never waits. */
  reusable(connection: C): boolean
  /**
   * Makes a connection that was given back as every borrower expects it; `undefined` when it is so already, which
   * costs nothing. The connection is ended when this rejects.
   */
  renew(connection: C, signal: AbortSignal): Promise<void> | undefined
}
