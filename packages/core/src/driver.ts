import { type Endpoint, formatEndpoint } from './address/endpoint.ts'
import type { Verdict } from './errors/classification.ts'
import { HaError } from './errors/ha-error.ts'
import { type DeadlineOptions, withDeadline } from './util/abort.ts'
import type { Clock } from './util/clock.ts'

/** What a driver reports about a connection by itself. */
export type ConnectionSignal =
  /** The connection has ended. */
  | { readonly kind: 'lost'; readonly error: Error }
  /** The connection is open, but the server asked the client to pause (AMQP `connection.blocked`). */
  | { readonly kind: 'suspended'; readonly reason: string }
  | { readonly kind: 'resumed' }

/**
 * Who answered a probe of an endpoint, compared with the server of the suspected connection. Only `same-server` proves that
 * the suspected server is alive: a name or an address can lead to several servers.
 */
export type ProbeAnswer = 'same-server' | 'another-server' | 'unidentified'

/** What a protocol has to provide. The promises need no deadlines of their own: the callers bring deadlines and signals. */
export interface Driver<C> {
  /** Its name in errors and events, such as `amqp`. */
  readonly protocol: string
  /** Dials and completes the whole handshake. When the signal fires, it leaves nothing open behind. */
  open(endpoint: Endpoint, signal: AbortSignal): Promise<C>
  /** Closes the connection gracefully. May hang on a dead server: the caller has a deadline and then destroys. */
  close(connection: C): Promise<void>
  /** Ends the connection at once. Never throws; may be called twice. */
  destroy(connection: C): void
  /** Reports what happens to the connection until the returned function is called. `lost` comes at most once. */
  watch(connection: C, report: (signal: ConnectionSignal) => void): () => void
  /** The number of bytes received so far: the cheapest proof that the server is alive. */
  received(connection: C): number
  /** Sends a request that any living server answers, through everything that an operation goes through. */
  probe(connection: C, signal: AbortSignal): Promise<void>
  /**
   * Waits for an answer of the server on a new connection: distinguishes a dead server from a congested connection. It
   * asks the very address of the suspected `connection`, and compares identities that servers gave, never addresses.
   */
  probeEndpoint(endpoint: Endpoint, signal: AbortSignal, connection?: C): Promise<ProbeAnswer>
  /** The error for a function of the application that a dial waits for: then no server is to blame. */
  waitingFor?(): HaError | undefined
  /** What an error means: pure, from a table. */
  classify(error: unknown): Verdict
  /**
   * Whether the server ended a connection because of one request, which it does not name: `final` when the same request
   * would end the next connection, too, `later` when it may pass later. Undefined: for another reason. A driver without
   * this function never knows.
   */
  requestAtFault?(error: Error): 'final' | 'later' | undefined
}

/** What a protocol has to provide for a pool: a {@link Driver} whose connections are checked out again and again. */
export interface PoolDriver<C, R> extends Driver<C> {
  /** The identity that the server of a connection gave: never an address. Undefined when it gave none. */
  serverOf?(connection: C): string | undefined
  /** Reads the status of the server, on the monitor's own connection. */
  read(connection: C, signal: AbortSignal): Promise<R>
  /** Whether the connection may be checked out again: nothing is under way on it. Decides; never waits. */
  reusable(connection: C): boolean
  /**
   * Resets a released connection to the state that every caller expects; `undefined` when it is in that state already.
   * The connection is ended when this rejects.
   */
  renew(connection: C, signal: AbortSignal): Promise<void> | undefined
}

interface ConnectionDeps<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
}

/**
 * Dials one endpoint and completes the handshake within `timeoutMs`, else rejects with `unresponsive`. A connection that
 * arrives later is destroyed.
 */
export function openWithin<C>(
  { driver, clock }: ConnectionDeps<C>,
  endpoint: Endpoint,
  { timeoutMs, signal }: Omit<DeadlineOptions, 'expired'>,
): Promise<C> {
  const expired = (): HaError =>
    driver.waitingFor?.() ??
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
 * Closes a connection gracefully within `timeoutMs` and until the signal fires, and destroys it when that fails. Never
 * rejects.
 */
export async function closeGracefully<C>(
  { driver, clock }: ConnectionDeps<C>,
  connection: C,
  { timeoutMs, signal }: Omit<DeadlineOptions, 'expired'>,
): Promise<void> {
  const expired = (): HaError => new HaError('timed-out', `not closed within ${timeoutMs} ms`)
  try {
    await withDeadline(clock, { timeoutMs, signal, expired }, () => driver.close(connection))
  } catch {
    // The next line ends the connection, whatever close() failed with.
  }
  driver.destroy(connection)
}
