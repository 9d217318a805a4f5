import { formatEndpoint } from '../address/endpoint.ts'
import type { Driver } from '../driver.ts'
import type { Verdict } from '../errors/classification.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import type { Backoff } from '../policy/backoff.ts'
import type { Budget } from '../policy/budget.ts'
import { decide } from '../policy/decide.ts'
import { coreChannels } from '../report/channels.ts'
import type { Clock } from '../runtime/clock.ts'
import { type LinkedController, linkedController, pooledController, raceAbort } from '../runtime/scope.ts'
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
  const scope = pooledController(operation.signal)
  const { signal } = scope
  const cancel = runner.clock.after(operation.timeoutMs, () => scope.abort(expiredAfter(operation)))
  const attempts: Failure[] = []
  try {
    for (;;) {
      const lease =
        takeNow(runner, operation, attempts, signal) ?? (await leaseFor(runner, operation, attempts, signal))
      const failure = notBegunOn(lease, runner, operation, attempts, signal)
      if (failure === undefined) {
        const either = new Either(signal, lease.signal)
        try {
          const value = await raceAbort(work(lease.connection, either.until), signal, ignore, lease.signal)
          runner.budget.refill()
          return value
        } catch (thrown) {
          attempts.push(failedOn(lease, runner, operation, attempts, asError(thrown), signal))
        } finally {
          either.end()
          runner.source.release(lease)
        }
      } else attempts.push(failure)
      await beforeRetry(runner, operation, attempts, signal)
    }
  } finally {
    cancel()
    scope.unlink()
  }
}

// The signal of one try, which is made when somebody asks for it.
class Either {
  readonly until: () => AbortSignal
  #scope: LinkedController | undefined

  constructor(...parents: readonly AbortSignal[]) {
    this.until = () => {
      this.#scope ??= linkedController(...parents)
      return this.#scope.signal
    }
  }

  end(): void {
    this.#scope?.unlink()
  }
}

function takeNow<C>(
  runner: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Lease<C> | undefined {
  if (signal.aborted) return undefined
  try {
    return runner.source.take()
  } catch (thrown) {
    throw withoutLease(operation, attempts, asError(thrown), signal)
  }
}

async function leaseFor<C>(
  runner: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Promise<Lease<C>> {
  try {
    return await runner.source.acquire(signal)
  } catch (thrown) {
    throw withoutLease(operation, attempts, whyNoLease(runner, asError(thrown), signal), signal)
  }
}

// Between the lending and the work either may have ended: then nothing has begun, and why is told.
function notBegunOn<C>(
  lease: Lease<C>,
  { source }: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Failure | undefined {
  if (!signal.aborted && !lease.signal.aborted) return undefined
  source.release(lease)
  if (signal.aborted) throw withoutLease(operation, attempts, asError(signal.reason), signal)
  return notBegun(lease)
}

function failedOn<C>(
  lease: Lease<C>,
  runner: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  error: Error,
  signal: AbortSignal,
): Failure {
  if (signal.aborted) throw interrupted(operation, attempts, lease, signal)
  const verdict = lease.signal.aborted ? lostInFlight(operation) : runner.driver.classify(error)
  if (verdict.scope !== 'call') runner.source.fail(lease, error)
  return { endpoint: formatEndpoint(lease.endpoint), error, verdict }
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
  runner: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Promise<void> {
  const failure = attempts.at(-1)
  if (failure === undefined) return
  detachStack(failure.error)
  const { repeatable, name } = operation
  const { clock, budget, random } = runner
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
  await clock.sleep(runner.backoff(attempts.length - 1, random), signal).catch(() => {
    throw withoutLease(operation, attempts, error, signal)
  })
}
