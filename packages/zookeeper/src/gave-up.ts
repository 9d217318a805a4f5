import { isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { ZookeeperCode } from './codes.ts'
import type { Ground } from './ground.ts'
import { ZookeeperError } from './zookeeper-error.ts'

/** What was waited for, in the words of an error: `the lock /a`, and the node that it is about. */
export interface Waited {
  readonly what: string
  readonly path: string
}

/**
 * What a wait rejects with that its signal has ended: `closed` when that was the end of the client, `timed-out` when it
 * was a deadline of ours, and else `aborted`, for then the signal was the caller's, whatever its reason.
 */
export function gaveUp(
  { signal: closed }: Pick<Ground, 'signal'>,
  waited: Waited,
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
