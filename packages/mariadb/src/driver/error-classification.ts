import { isHaError, type Verdict } from '@ha/core'
import { asError, classifier, verdicts, verdictTable } from '@ha/core/driver'
import { SqlError } from 'mariadb'

// What the server answers to a statement. What is not here is an ordinary error of the statement.
const byErrno = verdictTable(
  {
    1020: verdicts.later, // ER_CHECKREAD: the row changed since the snapshot
    1040: verdicts.later, // ER_CON_COUNT_ERROR: no free connection
    1047: verdicts.elsewhere, // ER_UNKNOWN_COM_ERROR: the Galera node has no quorum, or rejects queries
    1053: { ...verdicts.elsewhere, effect: 'unknown' }, // ER_SERVER_SHUTDOWN
    1105: { ...verdicts.final, effect: 'unknown' }, // ER_UNKNOWN_ERROR
    1129: verdicts.elsewhere, // ER_HOST_IS_BLOCKED: too many broken handshakes from here
    1180: { ...verdicts.later, effect: 'unknown' }, // ER_ERROR_DURING_COMMIT
    1203: verdicts.later, // ER_TOO_MANY_USER_CONNECTIONS
    1205: verdicts.later, // ER_LOCK_WAIT_TIMEOUT: only the statement is undone
    1213: verdicts.later, // ER_LOCK_DEADLOCK: also a failed certification
    1226: verdicts.later, // ER_USER_LIMIT_REACHED
    1290: verdicts.elsewhere, // ER_OPTION_PREVENTS_STATEMENT: read_only
    1317: verdicts.later, // ER_QUERY_INTERRUPTED: killed, or aborted by a transaction of another node
    1836: verdicts.elsewhere, // ER_READ_ONLY_MODE
    1927: verdicts.connectionLost, // ER_CONNECTION_KILLED
  },
  verdicts.final,
)

// A server that says so is full, not dead.
const serverFullErrnos: readonly number[] = [1040, 1203, 1226]

// Answers that leave open whether a write that commits by itself happened: the group was lost, the server went, or the
// statement was killed while it was under way, by somebody or (1969, ER_STATEMENT_TIMEOUT) by its own limit. 1047 is not
// among them: a node says it before it begins a statement; the one that is under way when the quorum goes gets 1180
// (seen on MariaDB 10.11 with Galera 4).
const ambiguousAtCommit: readonly number[] = [1053, 1180, 1317, 1927, 1969]

// No login of these credentials, on no server: what waiting does not cure.
const refusedLoginErrnos: readonly number[] = [1044, 1045, 1049, 1130, 1251, 1524, 1698, 1820, 1862]

/**
 * The verdict on an error of the driver, of the server or of this package. The answer to a COMMIT is classified by
 * {@link classifyCommit}.
 */
export const classify: (error: unknown) => Verdict = classifier({
  serverCode(serverCode, { code }) {
    // A server that is full refuses before the login; it is not down.
    if (serverFullErrnos.some((errno) => errno === serverCode)) return verdicts.later
    // The end of one session says nothing about its server, except when the server shuts down.
    return code === 'lost' ? { ...byErrno(serverCode), effect: 'unknown', transient: true } : undefined
  },
  foreign: (error) => (error instanceof DriverError ? classifyDriverError(error) : undefined),
})

/** As {@link classify}, for the answer to a COMMIT, or to a write that commits by itself. */
export function classifyCommit(error: unknown): Verdict {
  const verdict = classify(error)
  const open =
    error instanceof DriverError && error.stage === 'answered' && ambiguousAtCommit.includes(error.errno ?? 0)
  return open ? { ...verdict, effect: 'unknown' } : verdict
}

/** Whether a login was refused for a reason that no other server would judge otherwise. */
export function isRefusedLogin(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno !== undefined && refusedLoginErrnos.includes(errno)
}

function classifyDriverError(error: DriverError): Verdict {
  switch (error.stage) {
    case 'unsent':
      // Either the connection was over, or the arguments can be written on none.
      return isHaError(error.cause) || error.errno === connectionClosedErrno
        ? verdicts.elsewhere
        : verdicts.final
    case 'answered':
      return byErrno(error.errno)
    case 'unread':
      return { ...verdicts.final, effect: 'unknown' }
    case 'lost':
      return isHaError(error.cause) ? classify(error.cause) : verdicts.endpointLost
  }
}

// The driver's ER_CMD_CONNECTION_CLOSED: nothing was written.
const connectionClosedErrno = 45013

function errnoOf(error: unknown): number | undefined {
  if (error instanceof DriverError) return error.errno
  return isHaError(error) && typeof error.serverCode === 'number' ? error.serverCode : undefined
}

/**
 * How far a statement came. `unsent`: the server was never asked to do it. `answered`: the server
 * said no. `unread`: the server did it, and its answer could not be read. `lost`: the connection ended before the answer.
 */
export type Stage = 'unsent' | 'answered' | 'unread' | 'lost'

interface DriverErrorDetails {
  readonly stage: Stage
  /** The server's number, or the driver's own from 45001 on. */
  readonly errno?: number | undefined
  readonly sqlState?: string | undefined
  /** Such as `ER_DUP_ENTRY` or `ECONNRESET`. */
  readonly code?: string | undefined
  readonly cause?: unknown
}

/** Why a statement has no answer. Holds neither the statement nor its values. */
export class DriverError extends Error {
  readonly stage: Stage
  readonly errno: number | undefined
  readonly sqlState: string | undefined
  readonly code: string | undefined

  constructor(message: string, details: DriverErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'DriverError'
    this.stage = details.stage
    this.errno = details.errno
    this.sqlState = details.sqlState
    this.code = details.code
  }
}

/** What the driver threw, in our words. Its own error would carry the text of the statement, so it is no cause. */
export function toDriverError(thrown: unknown): DriverError {
  if (!(thrown instanceof SqlError)) {
    const cause = asError(thrown)
    const { code } = cause as { code?: unknown }
    const details = { stage: 'lost', code: typeof code === 'string' ? code : undefined, cause } as const
    return new DriverError(cause.message, details)
  }
  const { errno, sqlMessage } = thrown
  const code = thrown.code ?? undefined
  const sqlState = thrown.sqlState ?? undefined
  return new DriverError(`${code}: ${sqlMessage}`, { stage: stageOf(thrown), errno, sqlState, code })
}

/** A statement that was not sent, because the connection is over or its arguments cannot be written. */
export function unsentError(cause: Error): DriverError {
  const code = isHaError(cause) ? 'ER_CMD_CONNECTION_CLOSED' : 'ER_BAD_PARAMETER_VALUE'
  return new DriverError(`not sent: ${cause.message}`, {
    stage: 'unsent',
    code,
    cause,
  })
}

/** A statement that was done and whose answer cannot be read. */
export function unreadableError(cause: Error): DriverError {
  return new DriverError(`the answer cannot be read: ${cause.message}`, { stage: 'unread', cause })
}

/** A statement that was under way when its connection ended. */
export function lostError(cause: Error): DriverError {
  return new DriverError('the connection ended before the answer', { stage: 'lost', cause })
}

/** Whether the server said so itself, and not the driver: its own numbers begin at 45001. */
export function isServerError(error: unknown): error is SqlError {
  return error instanceof SqlError && (error.errno < 45_001 || error.errno > 45_999)
}

// These are raised before a byte of the command is written: a connection
// that is closed, arguments that are missing, no statement, no rows.
const unsentErrnos: readonly number[] = [45_013, 45_016, 45_017, 45_018, 45_031, 45_038, 45_049]

// Raised over an answer that came: two columns of one name, a number too large for the options.
const unreadErrnos: readonly number[] = [45_040, 45_050, 45_058]

function stageOf(thrown: SqlError): Stage {
  if (isServerError(thrown)) return 'answered'
  const { errno } = thrown
  if (unsentErrnos.includes(errno)) return 'unsent'
  return unreadErrnos.includes(errno) ? 'unread' : 'lost'
}
