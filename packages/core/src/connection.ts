import { type Endpoint, formatEndpoint } from './address/endpoint.ts'
import type { Driver } from './driver.ts'
import { HaError } from './errors/ha-error.ts'
import type { Clock } from './runtime/clock.ts'
import { type DeadlineOptions, withDeadline } from './runtime/deadline.ts'

interface Ends<C> {
  readonly driver: Driver<C>
  readonly clock: Clock
}

/**
 * Dials one endpoint and completes the whole handshake within `timeoutMs`, else rejects with `unresponsive`. A connection
 * that arrives later is destroyed.
 */
export function openWithin<C>(
  { driver, clock }: Ends<C>,
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
export async function endPolitely<C>(
  { driver, clock }: Ends<C>,
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
