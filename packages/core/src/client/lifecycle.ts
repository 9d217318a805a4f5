import { asError, HaError, isHaError } from '../errors/ha-error.ts'
import type { Backoff } from '../policy/backoff.ts'
import { linkedController, raceAbort } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'

export interface LifecycleOptions<R> {
  readonly clock: Clock
  /** Makes the client's `closed` error. */
  readonly closedError: () => Error
  /**
   * Lets finish what is under way, within `timeoutMs`, and no longer than until `expired` fires: a later call of
   * `drain` or `close` may have less time. Never rejects.
   */
  readonly drain: (timeoutMs: number, expired: AbortSignal) => Promise<R>
  /** Ends the connections within `timeoutMs`. Never rejects. */
  readonly end: (timeoutMs: number) => Promise<void>
  /** How much of the time of `close` is kept for {@link end}, in milliseconds. */
  readonly endMs: (timeoutMs: number) => number
}

/** The lifecycle of a client: open, draining, closed. */
export class Lifecycle<R> {
  readonly #options: LifecycleOptions<R>
  readonly #closing = linkedController()
  readonly #expired = linkedController()
  #state: 'open' | 'draining' | 'closed' = 'open'
  #report: Promise<R> | undefined
  #closed: Promise<R> | undefined

  constructor(options: LifecycleOptions<R>) {
    this.#options = options
  }

  /** `closed` as soon as `close` has ended the connections. */
  get state(): 'open' | 'draining' | 'closed' {
    return this.#state
  }

  /** Fires with the `closed` error as soon as the client takes no more calls: when draining or closing begins. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Throws the `closed` error unless the client is open. */
  checkOpen(): void {
    if (this.#state !== 'open') throw this.#options.closedError()
  }

  /** Drains once. A later call gets the same report; it can only make the time shorter. */
  async drain(timeoutMs: number): Promise<R> {
    const expired = (): HaError => new HaError('timed-out', `not drained within ${timeoutMs} ms`)
    const cancel = this.#options.clock.after(timeoutMs, () => this.#expired.abort(expired()))
    try {
      this.#report ??= this.#begin(timeoutMs)
      return await this.#report
    } finally {
      cancel()
    }
  }

  /** Drains and ends the connections, all within `timeoutMs`. Idempotent. */
  close(timeoutMs: number): Promise<R> {
    this.#closed ??= this.#close(timeoutMs)
    return this.#closed
  }

  #begin(timeoutMs: number): Promise<R> {
    this.#state = 'draining'
    this.#closing.abort(this.#options.closedError())
    return this.#options.drain(timeoutMs, this.#expired.signal)
  }

  async #close(timeoutMs: number): Promise<R> {
    const endMs = this.#options.endMs(timeoutMs)
    const report = await this.drain(timeoutMs - endMs)
    await this.#options.end(endMs)
    this.#state = 'closed'
    return report
  }
}

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
