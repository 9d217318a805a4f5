import { type Endpoint, formatEndpoint } from './address/endpoint.ts'
import type { Verdict } from './errors/classification.ts'
import { HaError } from './errors/ha-error.ts'
import { type DeadlineOptions, withDeadline } from './util/abort.ts'
import type { Clock } from './util/clock.ts'

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

interface ConnectionDeps<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
}

/**
 * Dials one endpoint and completes the whole handshake within `timeoutMs`, else rejects with `unresponsive`. A connection
 * that arrives later is destroyed.
 */
export function openWithin<C>(
  { driver, clock }: ConnectionDeps<C>,
  endpoint: Endpoint,
  { timeoutMs, signal }: Omit<DeadlineOptions, 'expired'>,
): Promise<C> {
  const expired = (): HaError =>
    new HaError('unresponsive', `no complete handshake within ${timeoutMs} ms`, {
      endpoint: formatEndpoint(endpoint),
      retryable: true,
    })
  return withDeadline(
    clock,
    { timeoutMs, signal, expired },
    (inner) => driver.open(endpoint, inner),
    (late) => driver.destroy(late),
  )
}

/**
 * Ends a connection politely within `timeoutMs` and until the signal fires, and at once when that fails. Never
 * rejects.
 */
export async function closeGracefully<C>(
  { driver, clock }: ConnectionDeps<C>,
  connection: C,
  { timeoutMs, signal }: Omit<DeadlineOptions, 'expired'>,
): Promise<void> {
  const expired = (): HaError => new HaError('timed-out', `no polite end within ${timeoutMs} ms`)
  try {
    await withDeadline(clock, { timeoutMs, signal, expired }, () => driver.close(connection))
  } catch {
    // Whatever a polite end fails with, the next line ends the connection all the same.
  }
  driver.destroy(connection)
}
