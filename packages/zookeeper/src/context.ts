import { type Clock, fullJitter, isHaError, type Link } from '@ha/core'
import { asError, linkedController, type Notifier, withDeadline } from '@ha/core/driver'
import type { ZookeeperConnection } from './connection/connection.ts'
import { wrapError } from './connection/error-classification.ts'
import { type ZookeeperCode, ZookeeperError } from './errors.ts'
import type { CallLimits } from './operations/call-options.ts'
import type { CallOptions, Operations, WatchedReads } from './operations/operations.ts'
import type { LiveSession } from './session/session.ts'

/** The sessions of a client, one after the other. */
export interface Sessions {
  /** The session that has been granted and is not over; also while its connection is lost. */
  readonly current: LiveSession | undefined
  /** Whether operations run at this moment. */
  readonly connected: boolean
  /** Fires when {@link current} or {@link connected} has changed. */
  readonly changed: Notifier
  /** Waits until operations run, and gives the session in which they do. Rejects with the signal's reason, or `closed`. */
  waitForSession(signal: AbortSignal): Promise<LiveSession>
}

/** What recipes and discovery stand on. */
export interface ClientContext {
  readonly operations: Operations
  readonly watchedReads: WatchedReads
  readonly sessions: Sessions
  /** The one connection: `link.ledger` puts declarations on each one that follows. */
  readonly link: Link<ZookeeperConnection>
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  /** Fires when the client is closed. */
  readonly signal: AbortSignal
  /** The deadline of an operation that says none, in milliseconds. */
  readonly operationTimeoutMs: number
  /** Hears of what can only be a defect of ours; it is told as an event and ends nothing. */
  readonly reportDefect: (where: string, thrown: unknown) => void
}

export interface WaitLimits extends WaitSubject {
  readonly call: CallLimits
  /** Makes the reason that the wait ends with when its time is up. */
  readonly expired: () => Error
}

/**
 * Waits within the limits of a call, and no longer than the client lives. What comes too late goes to `onLate`. Every
 * rejection is a `ZookeeperError`.
 */
export async function withinLimits<T>(
  context: Pick<ClientContext, 'clock' | 'signal'>,
  limits: WaitLimits,
  work: (signal: AbortSignal) => Promise<T>,
  onLate?: (value: T) => void,
): Promise<T> {
  const { call, expired, path } = limits
  const either = linkedController(call.signal, context.signal)
  const { signal } = either
  try {
    return await withDeadline(context.clock, { timeoutMs: call.timeoutMs, signal, expired }, work, onLate)
  } catch (thrown) {
    throw signal.aborted ? waitError(context, limits, signal.reason) : wrapError(thrown, path)
  } finally {
    either.unlink()
  }
}

/** What was waited for, in the words of an error: `the lock /a`, and the node that it is about. */
interface WaitSubject {
  readonly what: string
  readonly path: string
}

/**
 * What a wait rejects with that its signal has ended: `closed` when that was the end of the client, `timed-out` when it
 * was a deadline of ours, and else `aborted`, for then the signal was the caller's, whatever its reason.
 */
export function waitError(
  { signal: closed }: Pick<ClientContext, 'signal'>,
  waited: WaitSubject,
  reason: unknown,
): ZookeeperError {
  const code = codeOf(closed, reason)
  const cause = asError(reason)
  const message = `${waited.what}: ${cause.message}`
  return new ZookeeperError(code, message, { path: waited.path, retryable: code !== 'closed', cause })
}

function codeOf(closed: AbortSignal, reason: unknown): ZookeeperCode {
  if (closed.aborted) return 'closed'
  return isHaError(reason) && reason.code === 'timed-out' ? 'timed-out' : 'aborted'
}

/**
 * Asks until there is an answer, a lasting error, or the signal: for reads that are part of a longer wait, whose one
 * deadline the signal is.
 */
export async function retryUntilAborted<T>(
  ground: ClientContext,
  signal: AbortSignal,
  read: (options: CallOptions) => Promise<T>,
): Promise<T> {
  for (let round = 0; ; round++) {
    try {
      return await read({ signal, timeoutMs: noTimeoutMs })
    } catch (thrown) {
      if (signal.aborted || isPermanent(thrown)) throw thrown
    }
    await ground.clock.sleep(pace(round, ground.random), signal)
  }
}

/** The deadline of a call that its signal ends: the longest timer that Node knows, a little under 25 days. */
export const noTimeoutMs = 2_147_483_647

const pace = fullJitter({ baseMs: 50, maxMs: 2_000 })

/**
 * True of an error that the same question meets again, however often it is asked. That every server refuses us is none:
 * the core dials on, since somebody may correct the credentials or the certificate.
 */
export function isPermanent(thrown: unknown): boolean {
  if (!isHaError(thrown)) return true
  return !thrown.retryable && thrown.code !== 'refused'
}
