import type { Endpoint } from './address/endpoint.ts'
import { detachStack, HaError } from './errors/ha-error.ts'

/** The right to use a connection until `signal` fires. */
export interface Lease<C> {
  readonly connection: C
  readonly endpoint: Endpoint
  /** Dates the connection: a report from an older generation is noise. */
  readonly generation: number
  /** Fires when the connection is over, with the reason. */
  readonly signal: AbortSignal
}

/** Lends connections; what was borrowed is given back. */
export interface Source<C> {
  /** A connection that is to be had at once; undefined when one has to {@link acquire} it, or hear why not. */
  take(): Lease<C> | undefined
  /** Waits for a usable connection, as long as the signal allows. */
  acquire(signal: AbortSignal): Promise<Lease<C>>
  /**
   * Gives back what was borrowed; the lease is not used after that. Nothing happens the second time, nor where there
   * is only one connection for everybody.
   */
  release(lease: Lease<C>): void
  /** Says that the connection has failed. Ignored when the lease is of an older generation. */
  fail(lease: Lease<C>, error: Error): void
  /** Why there is no usable connection at this moment, as far as that is known. */
  unavailableReason(): Error | undefined
}

/** The reason with which the signal of a lease fires when its connection is over. */
export function leaseEnded(endpoint: string, error: Error): HaError {
  const message = `the connection to ${endpoint} is over: ${error.message}`
  return detachStack(new HaError('lost', message, { endpoint, cause: error, retryable: true }))
}
