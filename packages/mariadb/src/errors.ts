import { type CoreCode, HaError, type HaErrorDetails, isHaError, type Outcome } from '@ha/core'
import { asError, type ErrorMapping, wrapError } from '@ha/core/driver'
import { DriverError, type Stage } from './driver/error-classification.ts'

export interface MariadbErrorDetails extends HaErrorDetails {
  /** The server's error number, such as 1062. */
  readonly errno?: number | undefined
  /** The token of a protected transaction, for `resolve()`. */
  readonly token?: string | undefined
}

/**
 * An {@link HaError} with `errno` and `sqlState`, the SQLSTATE that a Java driver would report: 08001 no server,
 * 08S01 connection lost and not done, 25S03 transaction rolled back, 40001 conflict, 08007 outcome unknown.
 */
export class MariadbError extends HaError<MariadbCode> {
  readonly errno: number | undefined
  readonly token: string | undefined

  constructor(code: MariadbCode, message: string, details: MariadbErrorDetails = {}) {
    super(code, message, details)
    this.name = 'MariadbError'
    this.errno = details.errno
    this.token = details.token
  }

  /** The server's SQLSTATE when the server sent one, else the one for the code. */
  get sqlState(): string {
    return typeof this.serverCode === 'string' ? this.serverCode : sqlStateOf(this.code, this.outcome)
  }
}

const sqlStates: Partial<Record<MariadbCode, string>> = {
  unreachable: '08001',
  exhausted: '08001',
  'no-primary-component': '08001',
  closed: '08003',
  lost: '08S01',
  unresponsive: '08S01',
  'retry-budget-exhausted': '08S01',
  'duplicate-key': '23000',
  'transaction-over': '25000',
  'read-only': '25006',
  refused: '28000',
  conflict: '40001',
  'commit-log-missing': '42S02',
  'timed-out': '70100',
  aborted: '70100',
}

// The SQLSTATE of a general error, for codes without one of their own.
const generalErrorState = 'HY000'

function sqlStateOf(code: MariadbCode, outcome: HaError['outcome']): string {
  if (outcome === 'unknown') return '08007'
  return sqlStates[code] ?? generalErrorState
}

/** The error codes of this package, in addition to those of the core. */
export const mariadbCodes = {
  'no-primary-component': {
    meaning: 'No responding Galera node is usable: each has lost its quorum or is not synchronised.',
    action: 'See `health()` for the status of each node. The client continues when a node is Primary again.',
  },
  'read-only': {
    meaning: 'Every responding server is read-only or a replica.',
    action: 'Promote a server, or correct the roles in the URL. The client continues afterwards.',
  },
  'duplicate-key': {
    meaning: 'A row with this primary or unique key exists already (1062).',
    action: 'Handle it in the application: it is the result of a statement, not a failure of the server.',
  },
  conflict: {
    meaning: 'The transaction conflicted with others on the same rows, also after `retry.attempts` retries.',
    action: 'Shorten the transactions, access rows in one order, or raise `retry.attempts`.',
  },
  'transaction-over': {
    meaning: 'A statement was started on a transaction or session that has ended.',
    action: 'Await every statement inside the callback, and do not use its argument afterwards.',
  },
  'token-used': {
    meaning:
      'The token is in the commit log already: its transaction was committed or rolled back before. `outcome` tells which.',
    action:
      'None for a repeated call: the work is done. Otherwise use a different token for each transaction.',
  },
  'commit-log-missing': {
    meaning: 'The table `commitLog.table` does not exist or is not accessible.',
    action: 'Create it (the message contains the statement), or set `commitLog.create: true`.',
  },
} as const

export type MariadbCode = CoreCode | keyof typeof mariadbCodes

/** The error of an operation of the core as a {@link MariadbError}, with the `errno` and the SQLSTATE of its cause. */
export function toMariadbError(thrown: unknown, token?: string): MariadbError {
  const error = wrapError(thrown, mapping)
  return token === undefined || error.token === token ? error : withDetails(error, { token })
}

/** Copies an error with some fields replaced. */
export function withDetails(error: MariadbError, details: Partial<MariadbErrorDetails>): MariadbError {
  return new MariadbError(error.code, error.message, { ...error, cause: error.cause, ...details })
}

const mapping: ErrorMapping<MariadbError> = {
  type: MariadbError,
  fromCore(error, details) {
    const cause = driverCause(error)
    return new MariadbError(codeOfCoreError(error, cause), error.message, {
      ...details,
      // A write was executed before its answer could not be read; of a read, the caller has nothing.
      outcome: cause?.stage === 'unread' && error.outcome === 'unknown' ? 'done' : error.outcome,
      // The SQLSTATE of an unknown outcome is 08007; the last answer of the server is in the cause.
      serverCode: error.outcome === 'unknown' ? undefined : (cause?.sqlState ?? error.serverCode),
      errno: cause?.errno,
    })
  },
  fromForeign: (error) => new MariadbError('internal', error.message, { cause: error }),
}

// A call that timed out without a usable server reports what was missing instead of the timeout.
const missingServerCodes: readonly MariadbCode[] = ['no-primary-component', 'read-only']

function codeOfCoreError(error: HaError, below: DriverError | undefined): MariadbCode {
  if (error.code === 'rejected' && below !== undefined) return codeOfDriverError(below)
  const { cause } = error
  // A statement of a callback was out of time: so is the transaction.
  if (error.code === 'rejected' && cause instanceof MariadbError && isInterruption(cause.code))
    return cause.code
  const lacks =
    error.code === 'timed-out' && cause instanceof MariadbError && missingServerCodes.includes(cause.code)
  return lacks ? cause.code : (error.code as MariadbCode)
}

function isInterruption(code: MariadbCode): boolean {
  return code === 'timed-out' || code === 'aborted'
}

/**
 * The error of a call that its signal ended. A reason that is not an `HaError` came from the caller and becomes
 * `aborted`.
 */
export function abortError(reason: unknown, what: string, outcome: Outcome): MariadbError {
  const cause = asError(reason)
  const code = isHaError(cause) ? (cause.code as MariadbCode) : 'aborted'
  const endpoint = isHaError(cause) ? cause.endpoint : undefined
  const retryable = isHaError(cause) ? cause.retryable : true
  return new MariadbError(code, `${what}: ${cause.message}`, { outcome, retryable, endpoint, cause })
}

/** The outcome of a failed statement, by the stage that it reached. */
export type StageOutcomes = Readonly<Record<Stage, Outcome>>

/** In a transaction no statement takes effect before COMMIT. */
export const notDoneAtAnyStage: StageOutcomes = {
  unsent: 'not-done',
  answered: 'not-done',
  unread: 'not-done',
  lost: 'not-done',
}

/** The error of a statement inside a transaction or session. */
export function statementError(
  thrown: unknown,
  what: string,
  endpoint: string,
  outcomes: StageOutcomes,
): MariadbError {
  if (thrown instanceof MariadbError) return thrown
  const error = asError(thrown)
  const message = `${what} on ${endpoint}: ${error.message}`
  if (error instanceof HaError)
    return toMariadbError(new HaError(error.code, message, { endpoint, cause: error }))
  if (!(error instanceof DriverError))
    return new MariadbError('internal', message, { endpoint, cause: error })
  return new MariadbError(codeOfDriverError(error), message, {
    outcome: outcomes[error.stage],
    retryable: error.stage === 'lost',
    endpoint,
    serverCode: error.sqlState,
    errno: error.errno,
    cause: error,
  })
}

// ER_DUP_ENTRY and ER_DUP_ENTRY_WITH_KEY_NAME.
const duplicateKeyErrnos: readonly (number | undefined)[] = [1062, 1586]

function codeOfDriverError({ errno, stage }: DriverError): MariadbCode {
  if (stage === 'lost') return 'lost'
  return duplicateKeyErrnos.includes(errno) ? 'duplicate-key' : 'rejected'
}

function driverCause(error: HaError): DriverError | undefined {
  return error.cause instanceof DriverError ? error.cause : undefined
}
