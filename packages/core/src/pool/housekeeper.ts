import type { EndpointRegistry } from '../cluster/endpoint-registry.ts'
import { closeGracefully, type PoolDriver } from '../driver.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import { leaseEndedError } from '../lease.ts'
import { withDeadline } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'
import type { PooledConnection } from './generation.ts'
import type { PoolOptions } from './pool-options.ts'

interface HousekeepingDeps<C> {
  readonly options: PoolOptions<C, unknown>
  /** `host:port`. */
  readonly name: string
}

/** What housekeeping does with an idle connection. */
type HousekeepingAction = 'keep' | 'probe' | 'retire' | 'discard'

interface HousekeepingRules {
  readonly keepaliveMs: number
  readonly timeoutMs: number
  /** Whether there are more than `size.min` connections. */
  readonly surplus: boolean
}

/** Decides about one idle connection. Pure. */
export function housekeepingFor(
  pooled: PooledConnection<unknown>,
  nowMs: number,
  rules: HousekeepingRules,
): HousekeepingAction {
  const idleMs = nowMs - pooled.idleSinceMs
  if (pooled.signal.aborted) return 'discard'
  if (nowMs >= pooled.retireAtMs) return 'retire'
  if (rules.surplus && idleMs >= rules.timeoutMs) return 'retire'
  return idleMs >= rules.keepaliveMs ? 'probe' : 'keep'
}

/** The state of a connection that was released. */
type ReleaseResult =
  | { readonly kind: 'clean' }
  | { readonly kind: 'resetting'; readonly done: Promise<void> }
  /** It must not be checked out again. */
  | { readonly kind: 'unusable'; readonly error: Error }

/** Asks the driver whether a released connection is reusable, and begins its reset. An error of the driver means no. */
export function prepareForReuse<C>(
  driver: PoolDriver<C, unknown>,
  { connection, signal }: PooledConnection<C>,
): ReleaseResult {
  try {
    if (!driver.reusable(connection))
      return { kind: 'unusable', error: new Error('the connection was released while in use') }
    const done = driver.renew(connection, signal)
    return done === undefined ? { kind: 'clean' } : { kind: 'resetting', done }
  } catch (thrown) {
    return { kind: 'unusable', error: asError(thrown) }
  }
}

/** The result of a validation. */
export type ValidationResult =
  | { readonly kind: 'valid' }
  /** The server refused, or the connection has ended. */
  | { readonly kind: 'broken'; readonly error: Error }
  /** The server did not answer: the other connections to this endpoint are suspect too. */
  | { readonly kind: 'unresponsive'; readonly error: Error }

/** Validates a connection within `idle.validateTimeoutMs`, and ends it unless it is valid. Never rejects. */
export async function validate<C>(
  { options, name }: HousekeepingDeps<C>,
  pooled: PooledConnection<C>,
  request: (signal: AbortSignal) => Promise<void>,
): Promise<ValidationResult> {
  const { clock, idle } = options
  const timeoutMs = idle.validateTimeoutMs
  const unresponsive = new HaError(
    'unresponsive',
    `an idle connection to ${name} did not answer within ${timeoutMs} ms`,
    {
      endpoint: name,
      retryable: true,
    },
  )
  try {
    await withDeadline(clock, { timeoutMs, signal: pooled.signal, expired: () => unresponsive }, request)
    pooled.idleSinceMs = clock.now()
    return { kind: 'valid' }
  } catch (thrown) {
    const error = detachStack(asError(thrown))
    pooled.end(leaseEndedError(name, error))
    return { kind: error === unresponsive ? 'unresponsive' : 'broken', error }
  }
}

/** Closes a valid connection gracefully within `timeoutMs`. Never rejects. */
export async function retire<C>(
  { options, name }: HousekeepingDeps<C>,
  pooled: PooledConnection<C>,
  timeoutMs: number,
): Promise<void> {
  await closeGracefully(options, pooled.connection, { timeoutMs, signal: pooled.signal })
  pooled.end(leaseEndedError(name, new HaError('closed', 'the pool retired the connection')))
}

// The interval between two requests for the addresses; the shorter one while there are none.
const refreshMs = 30_000
const firstRefreshMs = 1_000

// The interval of housekeeping: fine enough for idle times, which are seconds to minutes.
const housekeepingMs = 1_000

/** Runs the housekeeping of all endpoints periodically. Rejects with the signal's reason. */
export async function runHousekeeping(
  clock: Clock,
  pools: () => Iterable<{ housekeep(): void }>,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    await clock.sleep(housekeepingMs, signal)
    for (const pool of pools()) pool.housekeep()
  }
}

/** Refreshes the list of endpoints periodically. Rejects with the signal's reason. */
export async function refreshEndpoints(
  clock: Clock,
  registry: Pick<EndpointRegistry<unknown>, 'refresh' | 'view'>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    // A failure is kept in the view; the last good list is used meanwhile.
    await registry.refresh(timeoutMs, signal).catch(() => undefined)
    await clock.sleep(registry.view.members.length === 0 ? firstRefreshMs : refreshMs, signal)
  }
}
