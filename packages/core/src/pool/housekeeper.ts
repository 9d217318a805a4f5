import type { EndpointRegistry } from '../cluster/endpoint-registry.ts'
import { closeGracefully, type PoolDriver } from '../driver.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import { leaseEnded } from '../lease.ts'
import { withDeadline } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'
import type { PooledConnection } from './connections.ts'
import type { PoolOptions } from './pool-options.ts'

interface HousekeepingDeps<C> {
  readonly options: PoolOptions<C, unknown>
  /** `host:port`. */
  readonly name: string
}

/** What a borrower left behind. */
type ReleaseResult =
  | { readonly kind: 'clean' }
  | { readonly kind: 'resetting'; readonly done: Promise<void> }
  /** Nobody may have it again. */
  | { readonly kind: 'unusable'; readonly error: Error }

/** Has the driver judge what was given back. One that throws has not said that it may be lent again. */
export function prepareForReuse<C>(
  driver: PoolDriver<C, unknown>,
  { connection, signal }: PooledConnection<C>,
): ReleaseResult {
  try {
    if (!driver.reusable(connection))
      return { kind: 'unusable', error: new Error('it was given back in use') }
    const done = driver.renew(connection, signal)
    return done === undefined ? { kind: 'clean' } : { kind: 'resetting', done }
  } catch (thrown) {
    return { kind: 'unusable', error: asError(thrown) }
  }
}

/** How a connection took what was asked of it. */
export type ValidationResult =
  | { readonly kind: 'valid' }
  /** It said no, or is over. */
  | { readonly kind: 'broken'; readonly error: Error }
  /** It did not answer: the others to this endpoint may not do so either. */
  | { readonly kind: 'unresponsive'; readonly error: Error }

/** Asks something of a connection within `idle.validateTimeoutMs`, and ends it unless it answers well. Never rejects. */
export async function validate<C>(
  { options, name }: HousekeepingDeps<C>,
  pooled: PooledConnection<C>,
  ask: (signal: AbortSignal) => Promise<void>,
): Promise<ValidationResult> {
  const { clock, idle } = options
  const timeoutMs = idle.validateTimeoutMs
  const silent = new HaError(
    'unresponsive',
    `an idle connection to ${name} gave no answer within ${timeoutMs} ms`,
    {
      endpoint: name,
      retryable: true,
    },
  )
  try {
    await withDeadline(clock, { timeoutMs, signal: pooled.signal, expired: () => silent }, ask)
    pooled.idleSinceMs = clock.now()
    return { kind: 'valid' }
  } catch (thrown) {
    const error = detachStack(asError(thrown))
    pooled.end(leaseEnded(name, error))
    return { kind: error === silent ? 'unresponsive' : 'broken', error }
  }
}

/** Ends a connection that is still sound, politely within `timeoutMs`. Never rejects. */
export async function retire<C>(
  { options, name }: HousekeepingDeps<C>,
  pooled: PooledConnection<C>,
  timeoutMs: number,
): Promise<void> {
  await closeGracefully(options, pooled.connection, { timeoutMs, signal: pooled.signal })
  pooled.end(leaseEnded(name, new HaError('closed', 'nobody needed it any more')))
}

// The list is asked for again after so long; sooner while there is none at all.
const refreshMs = 30_000
const firstRefreshMs = 1_000

// How often idle connections are looked after: fine enough for their times, which are seconds to minutes.
const housekeepingMs = 1_000

/** Looks after the idle connections of all hosts, again and again. Rejects with the signal's reason. */
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

/** Asks for the endpoints again and again. Rejects with the signal's reason. */
export async function refreshEndpoints(
  clock: Clock,
  registry: Pick<EndpointRegistry<unknown>, 'refresh' | 'view'>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    // The view says why a list could not be had; the last good one is used meanwhile.
    await registry.refresh(timeoutMs, signal).catch(() => undefined)
    await clock.sleep(registry.view.members.length === 0 ? firstRefreshMs : refreshMs, signal)
  }
}
