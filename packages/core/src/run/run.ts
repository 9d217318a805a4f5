import { formatEndpoint } from '../address/endpoint.ts'
import type { Driver } from '../driver.ts'
import {
  asError,
  type CoreCode,
  type FailedAttempt,
  HaError,
  isHaError,
  type Outcome,
} from '../model/error.ts'
import { kept } from '../model/kept.ts'
import type { Verdict } from '../model/verdict.ts'
import type { Backoff } from '../policy/backoff.ts'
import type { Budget } from '../policy/budget.ts'
import { type Decision, decide } from '../policy/decide.ts'
import { coreChannels } from '../report/channels.ts'
import type { Clock } from '../runtime/clock.ts'
import { abandonable, passingScope, type Scope, scopeBelow } from '../runtime/scope.ts'
import type { Lease, Source } from '../source.ts'

/** What operations run on. */
export interface Runner<C> {
  readonly source: Source<C>
  readonly driver: Pick<Driver<C>, 'classify'>
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: Backoff
  readonly budget: Pick<Budget, 'spend' | 'refill'>
}

export interface Operation {
  /** What it is called in errors and diagnostics. */
  readonly name: string
  /** The one deadline: waiting for a connection, every try and every pause are inside it. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Whether twice is harmless. Only the caller knows. */
  readonly repeatable: boolean
  /**
   * What a try may have done whose end nobody saw, asked when its connection is lost or its time is up. Default:
   * `unknown`. A transaction knows better until it sends COMMIT.
   */
  readonly effectIfLost?: () => Verdict['effect']
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

interface Failure extends FailedAttempt {
  readonly verdict: Verdict
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
  const lease = await runner.source.acquire(signal).catch((error: unknown) => {
    throw withoutLease(operation, attempts, whyNoLease(runner, asError(error), signal), signal)
  })
  try {
    // Between the lending and this line either may have ended: then nothing has begun.
    if (signal.aborted) throw withoutLease(operation, attempts, asError(signal.reason), signal)
    if (lease.signal.aborted) return { kind: 'failed', failure: notBegun(lease) }
    return await workOn(lease, runner, operation, work, attempts, signal)
  } finally {
    runner.source.release(lease)
  }
}

async function workOn<C, T>(
  lease: Lease<C>,
  runner: Runner<C>,
  operation: Operation,
  work: Work<C, T>,
  attempts: readonly Failure[],
  signal: AbortSignal,
): Promise<Tried<T>> {
  let either: Scope | undefined
  const until = (): AbortSignal => {
    either ??= scopeBelow(signal, lease.signal)
    return either.signal
  }
  try {
    const value = await abandonable(work(lease.connection, until), [signal, lease.signal], () => undefined)
    return { kind: 'done', value }
  } catch (thrown) {
    const error = asError(thrown)
    if (signal.aborted) throw interrupted(operation, attempts, lease, signal)
    const verdict = lease.signal.aborted ? lostInFlight(operation) : runner.driver.classify(error)
    if (verdict.scope !== 'call') runner.source.fail(lease, error)
    return { kind: 'failed', failure: { endpoint: formatEndpoint(lease.endpoint), error, verdict } }
  } finally {
    either?.end()
  }
}

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

function effectIfLost({ effectIfLost = () => 'unknown' }: Operation): Verdict['effect'] {
  return effectIfLost()
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

function failed(
  decision: Exclude<Decision, 'retry'>,
  operation: Operation,
  attempts: readonly Failure[],
): HaError {
  const last = attempts.at(-1)
  const code: CoreCode = decision
  const text = `${operation.name} on ${last?.endpoint}: ${last?.error.message}`
  return new HaError(code, text, {
    outcome: outcomeOf(attempts),
    retryable: last?.verdict.transient ?? false,
    endpoint: last?.endpoint,
    serverCode: isHaError(last?.error) ? last.error.serverCode : undefined,
    attempts,
    cause: last?.error,
  })
}

// No connection was had for this try; what earlier tries did still counts.
function withoutLease(
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
  const text = [operation.name, ...(signal.aborted ? ['waited in vain for a connection'] : []), ...why]
  return new HaError(code, text.join(': '), {
    outcome: outcomeOf(attempts),
    retryable: signal.aborted || !isHaError(error) || error.retryable,
    attempts: attempts.length > 0 || !isHaError(error) ? attempts : error.attempts,
    cause: error,
  })
}

function interrupted(
  operation: Operation,
  attempts: readonly Failure[],
  lease: Lease<unknown>,
  signal: AbortSignal,
): HaError {
  const endpoint = formatEndpoint(lease.endpoint)
  return new HaError(abortCode(signal), `${operation.name} on ${endpoint}: no answer in time`, {
    outcome: effectIfLost(operation) === 'unknown' ? 'unknown' : outcomeOf(attempts),
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

function expiredAfter({ name, timeoutMs }: Operation): HaError {
  return new HaError('timed-out', `${name}: not done within ${timeoutMs} ms`)
}
