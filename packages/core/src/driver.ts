import type { Endpoint } from './address/endpoint.ts'
import type { Verdict } from './errors/classification.ts'

/** What a driver says of a connection without being asked. */
export type ConnectionSignal =
  /** The connection is over. */
  | { readonly kind: 'lost'; readonly error: Error }
  /** The connection stands, but the server asks us to wait (AMQP `connection.blocked`). */
  | { readonly kind: 'suspended'; readonly reason: string }
  | { readonly kind: 'resumed' }

/** All that a protocol has to provide. Every promise may be awaited bare: the callers bring deadlines and signals. */
export interface Driver<C> {
  /** Its name in errors and events, such as `amqp`. */
  readonly protocol: string
  /** Dials and completes the whole handshake. When the signal fires, it leaves nothing open behind. */
  open(endpoint: Endpoint, signal: AbortSignal): Promise<C>
  /** Ends the connection politely. May hang on a dead server: the caller has a deadline and then destroys. */
  close(connection: C): Promise<void>
  /** Ends the connection at once. Never throws; may be called twice. */
  destroy(connection: C): void
  /** Reports what happens to the connection until the returned function is called. `lost` comes at most once. */
  watch(connection: C, report: (signal: ConnectionSignal) => void): () => void
  /** How many bytes have been received so far: the cheapest sign of life. */
  received(connection: C): number
  /** Asks the server for any answer over this connection, through everything that a request goes through. */
  probe(connection: C, signal: AbortSignal): Promise<void>
  /** Asks the server for a first byte over a connection of its own: tells a dead server from a clogged connection. */
  probeEndpoint(endpoint: Endpoint, signal: AbortSignal): Promise<void>
  /** What an error means: pure, from a table. */
  classify(error: unknown): Verdict
}
