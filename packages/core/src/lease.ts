import type { Endpoint } from './address/endpoint.ts'
import { detachStack, HaError } from './errors/ha-error.ts'

/** The right to use a connection until `signal` fires. */
export interface Lease<C> {
  readonly connection: C
  readonly endpoint: Endpoint
  /** The number of the connection: reports of an older generation are ignored. */
  readonly generation: number
  /** Fires when the connection ends, with the reason. */
  readonly signal: AbortSignal
}

/** Where operations get their connections: a link or a pool. */
export interface Source<C> {
  /** A connection that is available at once; undefined when the caller has to {@link acquire} one. */
  take(): Lease<C> | undefined
  /** Waits for a usable connection, as long as the signal allows. */
  acquire(signal: AbortSignal): Promise<Lease<C>>
  /**
   * Releases a lease, which must not be used after that. Has no effect the second time, and none for a link, whose one
   * connection is shared.
   */
  release(lease: Lease<C>): void
  /** Reports that the connection has failed. Ignored for a lease of an older generation. */
  fail(lease: Lease<C>, error: Error): void
  /** Why no connection is available now, as far as that is known. */
  unavailableReason(): Error | undefined
}

/** The reason with which the signal of a lease fires when its connection ends. */
export function leaseEndedError(endpoint: string, error: Error): HaError {
  const message = `the connection to ${endpoint} ended: ${error.message}`
  return detachStack(new HaError('lost', message, { endpoint, cause: error, retryable: true }))
}
