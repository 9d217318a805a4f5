import { HaError, isHaError, type Outcome } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { MariadbCode } from './codes.ts'
import { DriverError, type Stage } from './driver/driver-error.ts'
import { MariadbError, type MariadbErrorDetails } from './mariadb-error.ts'

/** What an operation of the core rejected with, in the words of MariaDB: `errno` and SQLSTATE of the cause kept. */
export function fromCore(thrown: unknown, more: Pick<MariadbErrorDetails, 'token'> = {}): MariadbError {
  if (thrown instanceof MariadbError && more.token === undefined) return thrown
  const error = asError(thrown)
  if (!isHaError(error)) return new MariadbError('internal', error.message, { cause: error })
  const below = driverErrorIn(error)
  const code = codeIn(error, below)
  return new MariadbError(code, error.message, {
    ...more,
    outcome: below?.stage === 'unread' ? 'done' : error.outcome,
    retryable: error.retryable,
    endpoint: error.endpoint,
    // The state of an unknown outcome is ours to say: what the server said last is in the cause.
    serverCode: error.outcome === 'unknown' ? undefined : (below?.sqlState ?? error.serverCode),
    errno: below?.errno,
    attempts: error.attempts,
    cause: error.cause ?? error,
  })
}

// Who waited in vain for a server that can be used is told what they lack, rather than that time went by.
const lacking: readonly MariadbCode[] = ['no-primary-component', 'read-only']

function codeIn(error: HaError, below: DriverError | undefined): MariadbCode {
  if (error.code === 'rejected' && below !== undefined) return codeOf(below)
  const { cause } = error
  const lacks = error.code === 'timed-out' && cause instanceof MariadbError && lacking.includes(cause.code)
  return lacks ? cause.code : (error.code as MariadbCode)
}

/** Why a signal ended something; a reason that is none of ours is the caller's own, and an abort. */
export function fromSignal(reason: unknown, what: string, outcome: Outcome): MariadbError {
  const cause = asError(reason)
  const code = isHaError(cause) ? (cause.code as MariadbCode) : 'aborted'
  const endpoint = isHaError(cause) ? cause.endpoint : undefined
  const retryable = isHaError(cause) ? cause.retryable : true
  return new MariadbError(code, `${what}: ${cause.message}`, { outcome, retryable, endpoint, cause })
}

/** What a statement that failed may have done, by how far it came. */
export type Outcomes = Readonly<Record<Stage, Outcome>>

/** In a transaction nothing is done before its COMMIT. */
export const nothingYet: Outcomes = {
  unsent: 'not-done',
  answered: 'not-done',
  unread: 'not-done',
  lost: 'not-done',
}

/** What one statement inside a transaction or session rejected with. */
export function fromDriver(
  thrown: unknown,
  what: string,
  endpoint: string,
  outcomes: Outcomes,
): MariadbError {
  if (thrown instanceof MariadbError) return thrown
  const error = asError(thrown)
  const message = `${what} on ${endpoint}: ${error.message}`
  if (error instanceof HaError) return fromCore(new HaError(error.code, message, { endpoint, cause: error }))
  if (!(error instanceof DriverError))
    return new MariadbError('internal', message, { endpoint, cause: error })
  return new MariadbError(codeOf(error), message, {
    outcome: outcomes[error.stage],
    retryable: error.stage === 'lost',
    endpoint,
    serverCode: error.sqlState,
    errno: error.errno,
    cause: error,
  })
}

// A duplicate of a primary or unique key, and the same with the name of the key.
const duplicates: readonly (number | undefined)[] = [1062, 1586]

function codeOf({ errno, stage }: DriverError): MariadbCode {
  if (stage === 'lost') return 'lost'
  return duplicates.includes(errno) ? 'duplicate-key' : 'rejected'
}

function driverErrorIn(error: HaError): DriverError | undefined {
  return error.cause instanceof DriverError ? error.cause : undefined
}
