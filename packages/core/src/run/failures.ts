import { formatEndpoint } from '../address/endpoint.ts'
import type { Verdict } from '../errors/classification.ts'
import { type CoreCode, type FailedAttempt, HaError, isHaError, type Outcome } from '../errors/ha-error.ts'
import type { Decision } from '../policy/decide.ts'
import type { Lease } from '../source.ts'
import type { Operation } from './operation.ts'

/** One try that failed, and what that means. */
export interface Failure extends FailedAttempt {
  readonly verdict: Verdict
}

export function effectIfLost({ effectIfLost = () => 'unknown' }: Operation): Verdict['effect'] {
  return effectIfLost()
}

export function failed(
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
export function withoutLease(
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

export function interrupted(
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

export function abortCode(signal: AbortSignal): CoreCode {
  return isHaError(signal.reason) && signal.reason.code === 'timed-out' ? 'timed-out' : 'aborted'
}

function outcomeOf(attempts: readonly Failure[]): Outcome {
  return attempts.some(({ verdict }) => verdict.effect === 'unknown') ? 'unknown' : 'not-done'
}

export function expiredAfter({ name, timeoutMs }: Operation): HaError {
  return new HaError('timed-out', `${name}: not done within ${timeoutMs} ms`)
}
