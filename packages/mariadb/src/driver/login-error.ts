import { HaError } from '@ha/core'
import { isCertificateError } from '@ha/core/driver'
import { SqlError } from 'mariadb'
import { saidByServer } from './driver-error.ts'
import { isRefusedLogin } from './verdicts.ts'

/** Why a server could not be logged in to: `unreachable`, or `refused` when no server would say otherwise. */
export function loginError(cause: Error, endpoint: string): HaError {
  const server = saidByServer(cause) ? cause : undefined
  const text = server === undefined ? cause.message : `${server.code}: ${server.sqlMessage}`
  const details = { endpoint, serverCode: server?.errno, cause }
  const error = new HaError('unreachable', `${endpoint}: ${text}`, { ...details, retryable: true })
  return isRefusedLogin(error) || isCertificateError(cause) || isWithoutTls(cause)
    ? new HaError('refused', `${endpoint}: ${text}`, details)
    : error
}

/** The password could not be had, which says nothing of any server. Its own message may say too much. */
export function passwordError(cause: Error, endpoint: string): HaError {
  return new HaError('unreachable', `${endpoint}: the password could not be had`, {
    endpoint,
    retryable: true,
    cause,
  })
}

/** The socket only closed. */
export function closedEarly(): Error {
  return new Error('the connection was closed before the login was done')
}

// The driver's own numbers: no TLS on the server, or its certificate is not who we asked for.
const tlsErrnos: readonly number[] = [45_023, 45_056, 45_057, 45_059, 45_062, 45_063]

function isWithoutTls(error: Error): boolean {
  return error instanceof SqlError && tlsErrnos.includes(error.errno)
}
