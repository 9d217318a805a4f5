import type { Endpoint } from './address/endpoint.ts'

/** The right to use a connection until `signal` fires. */
export interface Lease<C> {
  readonly connection: C
  readonly endpoint: Endpoint
  /** Dates the connection: a report from an older generation is noise. */
  readonly generation: number
  /** Fires when the connection is over, with the reason. */
  readonly signal: AbortSignal
}

/** Lends connections. */
export interface Source<C> {
  /** Waits for a usable connection, as long as the signal allows. */
  acquire(signal: AbortSignal): Promise<Lease<C>>
  /** Says that the connection has failed. Ignored when the lease is of an older generation. */
  fail(lease: Lease<C>, error: Error): void
  /** Why there is no usable connection at this moment, as far as that is known. */
  trouble(): Error | undefined
}
