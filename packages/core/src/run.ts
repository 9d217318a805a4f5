import { formatEndpoint } from './address/endpoint.ts'
import type { Driver } from './driver.ts'
import type { Verdict } from './errors/classification.ts'
import {
  asError,
  type CoreCode,
  detachStack,
  type FailedAttempt,
  HaError,
  isHaError,
  type Outcome,
} from './errors/ha-error.ts'
import type { Lease, Source } from './lease.ts'
import type { Backoff } from './policy/backoff.ts'
import { type Budget, decideRetry, type RetryDecision } from './policy/retry.ts'
import { type LinkedController, linkedController, pooledController, raceAbort } from './util/abort.ts'
import { coreChannels } from './util/channels.ts'
import type { Clock } from './util/clock.ts'

/** What operations run on. */
export interface Runner<C> {
  readonly source: Source<C>
  readonly driver: Pick<Driver<C>, 'classify'>
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: Backoff
  readonly budget: Pick<Budget, 'spend' | 'refill'>
}

/** An operation, and what may be done when it fails. */
export interface Operation {
  /** Its name in errors and diagnostics. */
  readonly name: string
  /** The one deadline, in milliseconds: it includes waiting for a connection, every attempt and every pause. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Whether executing it twice is harmless. Only the caller knows. */
  readonly repeatable: boolean
  /**
   * The effect of an attempt whose connection was lost or whose time was up before an answer. Default: `unknown`. A
   * transaction has none until it sends COMMIT.
   */
  readonly effectIfLost?: () => Verdict['effect']
}

/**
 * The work of one attempt. `until()` makes a signal that fires when the attempt ends by its deadline or with its
 * connection: for work that starts something besides the connection. Work that does not use it is abandoned.
 */
export type Work<C, T> = (connection: C, until: () => AbortSignal) => Promise<T>

/**
 * Runs an operation on a connection and settles by its deadline. A failed attempt is repeated only when it had no effect,
 * or when the operation is `repeatable`. Every rejection is an {@link HaError} with its outcome.
 */
export async function run<C, T>(runner: Runner<C>, operation: Operation, work: Work<C, T>): Promise<T> {
  const scope = pooledController(operation.signal)
  const { signal } = scope
  const cancel = runner.clock.after(operation.timeoutMs, () => scope.abort(expiredError(operation)))
  const attempts: Failure[] = []
  try {
    for (;;) {
      const lease =
        takeLease(runner, operation, attempts, signal) ??
        (await acquireLease(runner, operation, attempts, signal))
      const failure = checkLease(lease, runner, operation, attempts, signal)
      if (failure === undefined) {
        const attempt = new AttemptSignal(signal, lease.signal)
        try {
          const value = await raceAbort(work(lease.connection, attempt.signal), signal, ignore, lease.signal)
          runner.budget.refill()
          return value
        } catch (thrown) {
          attempts.push(recordFailure(lease, runner, operation, attempts, asError(thrown), signal))
        } finally {
          attempt.end()
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

// The signal of one attempt, made when the work asks for it: most work does not.
class AttemptSignal {
  readonly signal: () => AbortSignal
  #scope: LinkedController | undefined

  constructor(...parents: readonly AbortSignal[]) {
    this.signal = () => {
      this.#scope ??= linkedController(...parents)
      return this.#scope.signal
    }
  }

  end(): void {
    this.#scope?.unlink()
  }
}

function takeLease<C>(
  runner: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Lease<C> | undefined {
  if (signal.aborted) return undefined
  try {
    return runner.source.take()
  } catch (thrown) {
    throw noLeaseError(operation, attempts, asError(thrown), signal)
  }
}

async function acquireLease<C>(
  runner: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Promise<Lease<C>> {
  try {
    return await runner.source.acquire(signal)
  } catch (thrown) {
    throw noLeaseError(operation, attempts, noLeaseReason(runner, asError(thrown), signal), signal)
  }
}

// The operation or the lease may have ended between the acquire and the work: nothing has begun then.
function checkLease<C>(
  lease: Lease<C>,
  { source }: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Failure | undefined {
  if (!signal.aborted && !lease.signal.aborted) return undefined
  source.release(lease)
  if (signal.aborted) throw noLeaseError(operation, attempts, asError(signal.reason), signal)
  return notBegun(lease)
}

function recordFailure<C>(
  lease: Lease<C>,
  runner: Runner<C>,
  operation: Operation,
  attempts: readonly Failure[],
  error: Error,
  signal: AbortSignal,
): Failure {
  if (signal.aborted) throw interruptedError(operation, attempts, lease, signal)
  const verdict = lease.signal.aborted ? lostVerdict(operation) : runner.driver.classify(error)
  if (verdict.scope !== 'call') runner.source.fail(lease, error)
  return { endpoint: formatEndpoint(lease.endpoint), error, verdict }
}

function ignore(): void {}

// The reason of a timeout is what the operation was waiting for, not its own deadline.
function noLeaseReason<C>({ source }: Runner<C>, error: Error, signal: AbortSignal): Error {
  return signal.aborted && abortCode(signal) === 'timed-out' ? (source.unavailableReason() ?? error) : error
}

function notBegun(lease: Lease<unknown>): Failure {
  const verdict: Verdict = { scope: 'connection', effect: 'none', transient: true }
  return { endpoint: formatEndpoint(lease.endpoint), error: asError(lease.signal.reason), verdict }
}

// The request may have been written before the connection was lost: that is not known here.
function lostVerdict(operation: Operation): Verdict {
  return { scope: 'connection', effect: effectIfLostOf(operation), transient: true }
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
  const decision = decideRetry(failure.verdict, {
    repeatable,
    expired: signal.aborted,
    spendBudget: () => budget.spend(),
  })
  if (decision !== 'retry') throw decisionError(decision, operation, attempts)
  const { endpoint, error } = failure
  if (coreChannels.runRetry.hasSubscribers) {
    coreChannels.runRetry.publish({ name, attempt: attempts.length, endpoint, error })
  }
  await clock.sleep(runner.backoff(attempts.length - 1, random), signal).catch(() => {
    throw noLeaseError(operation, attempts, error, signal)
  })
}

/** A failed attempt, and the verdict on it. */
interface Failure extends FailedAttempt {
  readonly verdict: Verdict
}

function effectIfLostOf({ effectIfLost = () => 'unknown' }: Operation): Verdict['effect'] {
  return effectIfLost()
}

function decisionError(
  decision: Exclude<RetryDecision, 'retry'>,
  operation: Operation,
  attempts: readonly Failure[],
): HaError {
  const last = attempts.at(-1)
  const code: CoreCode = decision
  const tries = attempts.length > 1 ? ` (attempt ${attempts.length})` : ''
  const text = `${operation.name} on ${last?.endpoint}: ${last?.error.message}${tries}`
  return new HaError(code, text, {
    outcome: outcomeOf(attempts),
    retryable: last?.verdict.transient ?? false,
    endpoint: last?.endpoint,
    serverCode: isHaError(last?.error) ? last.error.serverCode : undefined,
    attempts,
    cause: last?.error,
  })
}

// This attempt got no connection; the effects of earlier attempts still count.
function noLeaseError(
  operation: Operation,
  attempts: readonly Failure[],
  error: Error,
  signal: AbortSignal,
): HaError {
  const code = signal.aborted
    ? abortCode(signal)
    : isHaError(error)
      ? (error.code as CoreCode)
      : 'unreachable'
  const why = error === signal.reason ? [] : [error.message]
  const text = [operation.name, ...(signal.aborted ? ['no connection in time'] : []), ...why]
  return new HaError(code, text.join(': '), {
    outcome: outcomeOf(attempts),
    retryable: signal.aborted || !isHaError(error) || error.retryable,
    attempts: attempts.length > 0 || !isHaError(error) ? attempts : error.attempts,
    cause: error,
  })
}

function interruptedError(
  operation: Operation,
  attempts: readonly Failure[],
  lease: Lease<unknown>,
  signal: AbortSignal,
): HaError {
  const endpoint = formatEndpoint(lease.endpoint)
  return new HaError(abortCode(signal), `${operation.name} on ${endpoint}: no answer in time`, {
    outcome: effectIfLostOf(operation) === 'unknown' ? 'unknown' : outcomeOf(attempts),
    retryable: true,
    endpoint,
    attempts,
    cause: signal.reason,
  })
}

function abortCode(signal: AbortSignal): CoreCode {
  return isHaError(signal.reason) && signal.reason.code === 'timed-out' ? 'timed-out' : 'aborted'
}

function outcomeOf(attempts: readonly Failure[]): Outcome {
  return attempts.some(({ verdict }) => verdict.effect === 'unknown') ? 'unknown' : 'not-done'
}

function expiredError({ name, timeoutMs }: Operation): HaError {
  return new HaError('timed-out', `${name}: not done within ${timeoutMs} ms`)
}
