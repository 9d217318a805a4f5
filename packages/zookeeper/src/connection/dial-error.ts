import { HaError, isHaError } from '@ha/core'
import { ReplyError } from '../driver/reply-error.ts'
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
  const message = `${endpoint}: session 0x${BigInt.asUintN(64, sessionId).toString(16)} is over`
  return new ZookeeperError('session-lost', message, { endpoint, retryable: true })
}

function isCertificateError(error: Error): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)
}
