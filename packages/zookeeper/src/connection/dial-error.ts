import { HaError, isHaError } from '@ha/core'
import { isCertificateError } from '@ha/core/driver'
import { ReplyError } from '../driver/reply-error.ts'
import { sessionName } from '../session/session-name.ts'
import { ZookeeperError } from '../zookeeper-error.ts'

const authFailed = -115

/** Why a server gave no session: `auth-failed`, `refused` for what waiting does not cure, else `unreachable`. */
export function dialError(cause: Error, endpoint: string): HaError {
  if (isHaError(cause)) return cause
  const message = `${endpoint}: ${cause.message}`
  if (cause instanceof ReplyError) {
    const details = { endpoint, serverCode: cause.code, cause }
    return cause.code === authFailed
      ? new ZookeeperError('auth-failed', message, details)
      : new HaError('unreachable', message, { ...details, retryable: true })
  }
  return isCertificateError(cause)
    ? new HaError('refused', message, { endpoint, cause })
    : new HaError('unreachable', message, { endpoint, retryable: true, cause })
}

/** The server said that the session is over. The next dial asks for a new one. */
export function expiredError(sessionId: bigint, endpoint: string): ZookeeperError {
  const message = `${endpoint}: session ${sessionName(sessionId)} is over`
  return new ZookeeperError('session-lost', message, { endpoint, retryable: true })
}
