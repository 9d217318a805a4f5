import { formatEndpoint } from '../address/endpoint.ts'
import type { Driver } from '../driver.ts'
import { asError, HaError } from '../model/error.ts'
import { kept } from '../model/kept.ts'
import type { Verdict } from '../model/verdict.ts'
import type { Backoff } from '../policy/backoff.ts'
import type { Budget } from '../policy/budget.ts'
import { decide } from '../policy/decide.ts'
import { coreChannels } from '../report/channels.ts'
import type { Clock } from '../runtime/clock.ts'
import { abandonable, passingScope, type Scope, scopeBelow } from '../runtime/scope.ts'
import type { Lease, Source } from '../source.ts'
import {
  abortCode,
  effectIfLost,
  expiredAfter,
  type Failure,
  failed,
  interrupted,
  withoutLease,
} from './failures.ts'
import type { Operation } from './operation.ts'

/** What operations run on. */
export interface Runner<C> {
  readonly source: Source<C>
  readonly driver: Pick<Driver<C>, 'classify'>
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: Backoff
  readonly budget: Pick<Budget, 'spend' | 'refill'>
}

/**
 * The work of one try. `until()` makes a signal that fires when the try is over, because its time is up or its
 * connection is: to be asked for by those who begin something besides the connection. The rest is simply abandoned.
 */
export type Work<C, T> = (connection: C, until: () => AbortSignal) => Promise<T>

/**
 * Runs an operation on a connection and settles by its deadline. It is tried again only when the failed try had no
 * effect, or when the caller said that twice is harmless. Every rejection is an {@link HaError} with its outcome.
 */
export async function run<C, T>(runner: Runner<C>, operation: Operation, work: Work<C, T>): Promise<T> {
  const scope = passingScope(operation.signal)
  const cancel = runner.clock.after(operation.timeoutMs, () => scope.abort(expiredAfter(operation)))
  const attempts: Failure[] = []
  try {
    for (;;) {
      const tried = await tryOnce(runner, operation, work, attempts, scope.signal)
      if (tried.kind === 'done') {
        runner.budget.refill()
        return tried.value
      }
      await beforeRetry(runner, operation, attempts, tried.failure, scope.signal)
    }
  } finally {
    cancel()
    scope.end()
  }
}

type Tried<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly failure: Failure }

async function tryOnce<C, T>(
  runner: Runner<C>,
  operation: Operation,
  work: Work<C, T>,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Promise<Tried<T>> {
  let lease: Lease<C>
  try {
    lease = await runner.source.acquire(signal)
  } catch (thrown) {
    throw withoutLease(operation, attempts, whyNoLease(runner, asError(thrown), signal), signal)
  }
  if (signal.aborted || lease.signal.aborted) return notBegunOn(lease, runner, operation, attempts, signal)
  let either: Scope | undefined
  const until = (): AbortSignal => {
    either ??= scopeBelow(signal, lease.signal)
    return either.signal
  }
  try {
    const working = work(lease.connection, until)
    return { kind: 'done', value: await abandonable(working, signal, ignore, lease.signal) }
  } catch (thrown) {
    return failedOn(lease, runner, operation, attempts, asError(thrown), signal)
  } finally {
    either?.end()
    runner.source.release(lease)
  }
}

// Between the lending and the work either may have ended: then nothing has begun.
function notBegunOn<C>(
  lease: Lease<C>,
  { source }: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  signal: AbortSignal,
): { readonly kind: 'failed'; readonly failure: Failure } {
  source.release(lease)
  if (signal.aborted) throw withoutLease(operation, attempts, asError(signal.reason), signal)
  return { kind: 'failed', failure: notBegun(lease) }
}

function failedOn<C>(
  lease: Lease<C>,
  runner: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  error: Error,
  signal: AbortSignal,
): { readonly kind: 'failed'; readonly failure: Failure } {
  if (signal.aborted) throw interrupted(operation, attempts, lease, signal)
  const verdict = lease.signal.aborted ? lostInFlight(operation) : runner.driver.classify(error)
  if (verdict.scope !== 'call') runner.source.fail(lease, error)
  return { kind: 'failed', failure: { endpoint: formatEndpoint(lease.endpoint), error, verdict } }
}

function ignore(): void {}

// An operation that ran out of time waited for something: its own deadline is not the reason.
function whyNoLease<C>({ source }: Runner<C>, error: Error, signal: AbortSignal): Error {
  return signal.aborted && abortCode(signal) === 'timed-out' ? (source.trouble() ?? error) : error
}

function notBegun(lease: Lease<unknown>): Failure {
  const verdict: Verdict = { scope: 'connection', effect: 'none', transient: true }
  return { endpoint: formatEndpoint(lease.endpoint), error: asError(lease.signal.reason), verdict }
}

// Whether a request was written before the connection went is not known here: it may have been.
function lostInFlight(operation: Operation): Verdict {
  return { scope: 'connection', effect: effectIfLost(operation), transient: true }
}

async function beforeRetry<C>(
  { clock, budget, backoff, random }: Runner<C>,
  operation: Operation,
  attempts: Failure[],
  failure: Failure,
  signal: AbortSignal,
): Promise<void> {
  attempts.push(failure)
  kept(failure.error)
  const { repeatable, name } = operation
  const decision = decide(failure.verdict, {
    repeatable,
    expired: signal.aborted,
    affordable: () => budget.spend(),
  })
  if (decision !== 'retry') throw failed(decision, operation, attempts)
  const { endpoint, error } = failure
  if (coreChannels.runRetry.hasSubscribers) {
    coreChannels.runRetry.publish({ name, attempt: attempts.length, endpoint, error })
  }
  await clock.sleep(backoff(attempts.length - 1, random), signal).catch(() => {
    throw withoutLease(operation, attempts, error, signal)
  })
}
