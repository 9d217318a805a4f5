import { type Backoff, type Clock, fullJitter, isHaError, type Link } from '@ha/core'
import { asError, refusalBackoff, retry, runWithin, type WaitFailure } from '@ha/core/driver'
import type { ZookeeperConnection } from './connection/connection.ts'
import { toZookeeperError } from './connection/error-classification.ts'
import { ZookeeperError } from './errors.ts'
import type { CallLimits } from './operations/call-options.ts'
import type { CallOptions, Operations, WatchedReads } from './operations/operations.ts'
import type { Sessions } from './session/session.ts'

/** What the recipes, the caches and the discovery of one client share. */
export interface ClientContext {
  readonly operations: Operations
  readonly watchedReads: WatchedReads
  readonly sessions: Sessions
  /** The one connection at a time: `link.desiredState` applies declarations on each connection that follows. */
  readonly link: Link<ZookeeperConnection>
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  /** Fires when the client is closed. */
  readonly signal: AbortSignal
  /** The deadline of an operation without a `timeoutMs` of its own, in milliseconds. */
  readonly operationTimeoutMs: number
  /** Reports a defect of this package or of a function of the application: emitted as an event, ends nothing. */
  readonly reportDefect: (where: string, thrown: unknown) => void
}

/** What a wait is for, in the words of an error, such as `the lock /a`, and the node that it concerns. */
interface WaitSubject {
  readonly what: string
  readonly path: string
}

/** A wait of a call: its subject, its limits, and its error when the time is up. */
export interface CallWait extends WaitSubject {
  readonly call: CallLimits
  /** Makes the error for a wait that lasted longer than the call may. */
  readonly expired: () => Error
}

/**
 * Waits within the limits of a call, and no longer than the client is open. A value that arrives later goes to
 * `onLate`. Every rejection is a `ZookeeperError`.
 */
export function runWithinCall<T>(
  { clock, signal: closed }: Pick<ClientContext, 'clock' | 'signal'>,
  { call, expired, ...subject }: CallWait,
  work: (signal: AbortSignal) => Promise<T>,
  onLate?: (value: T) => void,
): Promise<T> {
  const reason = (code: WaitFailure, cause: Error | undefined): Error =>
    cause === undefined ? expired() : failedWait(subject, code, cause)
  const wrapped = (signal: AbortSignal): Promise<T> =>
    work(signal).catch((thrown) => {
      throw toZookeeperError(thrown, subject.path)
    })
  return runWithin({ clock, limit: call, closed, reason }, wrapped, onLate)
}

/**
 * The error for a wait whose signal fired: `closed` when the client was closed, `timed-out` for a deadline of this
 * package, else `aborted`, because the signal was the caller's, whatever its reason.
 */
export function waitError(
  { signal: closed }: Pick<ClientContext, 'signal'>,
  subject: WaitSubject,
  reason: unknown,
): ZookeeperError {
  const isDeadline = isHaError(reason) && reason.code === 'timed-out'
  const code = closed.aborted ? 'closed' : isDeadline ? 'timed-out' : 'aborted'
  return failedWait(subject, code, asError(reason))
}

function failedWait({ what, path }: WaitSubject, code: WaitFailure, cause: Error): ZookeeperError {
  return new ZookeeperError(code, `${what}: ${cause.message}`, { path, retryable: code !== 'closed', cause })
}

/**
 * Repeats a read until it succeeds, fails permanently, or the signal fires: for reads that are part of a longer wait,
 * whose one deadline the signal is.
 */
export function retryUntilAborted<T>(
  { clock, random }: ClientContext,
  signal: AbortSignal,
  read: (options: CallOptions) => Promise<T>,
): Promise<T> {
  return retry({ clock, random, backoff: readBackoff, isFinal: isPermanent, signal }, () =>
    read({ signal, timeoutMs: noTimeoutMs }),
  )
}

/** The deadline of a call that only its signal ends: the longest timer of Node.js, a little under 25 days. */
export const noTimeoutMs = 2_147_483_647

/** The pause after a refusal that only a person can mend, such as a missing permission or chroot: from 100 ms to a minute. */
export const refusalDelay: Backoff = refusalBackoff(100)

const readBackoff = fullJitter({ baseMs: 50, maxMs: 2_000 })

/**
 * Whether repeating a request meets the same error. `refused` by every server is not permanent: the link goes on
 * dialling, because an operator may correct the credentials or the certificate.
 */
export function isPermanent(thrown: unknown): boolean {
  if (!isHaError(thrown)) return true
  return !thrown.retryable && thrown.code !== 'refused'
}
