import { asError, isHaError } from '../errors/ha-error.ts'
import type { Backoff } from '../policy/backoff.ts'
import { linkedController, raceAbort } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'
import type { Notifier } from '../util/notifier.ts'

/** The limits of one call. */
export interface CallLimit {
  /** In milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Why a wait ended without its result. */
export type WaitFailure = 'closed' | 'timed-out' | 'aborted'

export interface WaitLimits {
  readonly clock: Clock
  readonly limit: CallLimit
  /** Fires when the client, or the part of it that the caller waits for, closes. */
  readonly closed: AbortSignal
  /**
   * Makes the error of the client. `cause` is the reason of the signal that ended the wait; undefined for
   * `timed-out` by the limit itself.
   */
  readonly reason: (code: WaitFailure, cause: Error | undefined) => Error
}

/**
 * Runs `work` within the limits of a call and no longer than the client is open. A value that arrives later goes to
 * `onLate`. Errors of `work` itself are thrown unchanged; its signal fires when the wait fails.
 */
export async function runWithin<T>(
  { clock, limit, closed, reason }: WaitLimits,
  work: (signal: AbortSignal) => Promise<T>,
  onLate: (value: T) => void = () => undefined,
): Promise<T> {
  const scope = linkedController(closed, limit.signal)
  const { signal } = scope
  let expired: Error | undefined
  const cancel = clock.after(limit.timeoutMs, () => {
    expired = reason('timed-out', undefined)
    scope.abort(expired)
  })
  try {
    signal.throwIfAborted()
    return await raceAbort(work(signal), signal, onLate)
  } catch (thrown) {
    if (!signal.aborted) {
      scope.abort(thrown)
      throw thrown
    }
    if (closed.aborted) throw reason('closed', asError(closed.reason))
    if (expired !== undefined) throw expired
    throw reason(failureOf(signal.reason), asError(signal.reason))
  } finally {
    cancel()
    scope.unlink()
  }
}

// A deadline of ours that reaches the wait as the caller's signal is still a deadline.
function failureOf(reason: unknown): WaitFailure {
  return isHaError(reason) && reason.code === 'timed-out' ? 'timed-out' : 'aborted'
}

export interface StateWait<T> extends WaitLimits {
  /** The result, or undefined while it is not there yet. What it throws ends the wait. */
  readonly state: () => T | undefined
  /** Notifies after each change of that state. */
  readonly changed: Pick<Notifier, 'wait'>
}

/** Waits until a state is reached, such as in `ready()`. */
export function waitUntil<T>(wait: StateWait<T>): Promise<T> {
  return runWithin(wait, async (signal) => {
    for (;;) {
      const reached = wait.state()
      if (reached !== undefined) return reached
      await wait.changed.wait(signal)
    }
  })
}

export interface RetryLoopOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly backoff: Backoff
  /** Whether repeating does not help: the error is thrown. */
  readonly isFinal: (error: unknown) => boolean
  /** Ends the retries: in a pause with its reason, else with the error of the last attempt. */
  readonly signal: AbortSignal
}

/** Repeats `attempt`, whose rounds count from 0, until it succeeds, fails for good, or the signal fires. */
export async function retry<T>(
  options: RetryLoopOptions,
  attempt: (round: number) => Promise<T>,
): Promise<T> {
  const { clock, random, backoff, isFinal, signal } = options
  for (let round = 0; ; round++) {
    try {
      return await attempt(round)
    } catch (thrown) {
      if (signal.aborted || isFinal(thrown)) throw thrown
    }
    await clock.sleep(backoff(round, random), signal)
  }
}
