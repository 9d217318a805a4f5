import { asError, isHaError, scopeBelow, withDeadline } from '@ha/core'
import type { ZookeeperCode } from '../codes.ts'
import { fromCore } from '../from-core.ts'
import type { Ground } from '../ground.ts'
import type { Call } from '../operations/call-options.ts'
import { ZookeeperError } from '../zookeeper-error.ts'

export interface Limits {
  /** What is waited for, in the words of an error: `the lock /a`. */
  readonly what: string
  readonly path: string
  readonly call: Call
  /** Makes the reason that the wait ends with when its time is up. */
  readonly expired: () => Error
}

/**
 * Waits within the limits of a call, and no longer than the client lives. What comes too late goes to `onLate`. Every
 * rejection is a {@link ZookeeperError}; a reason that is none of ours is the caller's own, and an abort.
 */
export async function within<T>(
  { clock, signal: closed }: Ground,
  { what, path, call: { timeoutMs, signal }, expired }: Limits,
  work: (signal: AbortSignal) => Promise<T>,
  onLate?: (value: T) => void,
): Promise<T> {
  const either = scopeBelow(signal, closed)
  try {
    return await withDeadline(clock, { timeoutMs, signal: either.signal, expired }, work, onLate)
  } catch (thrown) {
    throw either.signal.aborted ? gaveUp(what, path, either.signal.reason) : fromCore(thrown, path)
  } finally {
    either.end()
  }
}

function gaveUp(what: string, path: string, reason: unknown): ZookeeperError {
  const cause = asError(reason)
  const code = isHaError(cause) ? (cause.code as ZookeeperCode) : 'aborted'
  const retryable = code === 'aborted'
  return new ZookeeperError(code, `${what}: ${cause.message}`, { path, retryable, cause })
}
