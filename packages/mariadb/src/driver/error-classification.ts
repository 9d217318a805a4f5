import { isHaError, type Verdict } from '@ha/core'
import { asError, classifier, verdicts, verdictTable } from '@ha/core/driver'
import { SqlError } from 'mariadb'

// Verdicts by the server's error number. Any other number is an ordinary error of the statement.
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
    1153: { ...verdicts.final, scope: 'connection' }, // ER_NET_PACKET_TOO_LARGE: the server ends the connection over it
    1317: verdicts.final, // ER_QUERY_INTERRUPTED: killed on purpose; a conflict with another node is a 1213
    1836: verdicts.elsewhere, // ER_READ_ONLY_MODE
    1927: verdicts.connectionLost, // ER_CONNECTION_KILLED: by a person, or by a server that is stopping
    // ER_LOCAL_INFILE_DISABLED of the driver: the server asked for a file it was not offered.
    45021: { ...verdicts.final, scope: 'connection' },
  },
  verdicts.final,
)

// These errors mean that the server is full, not down.
const serverFullErrnos: readonly number[] = [1040, 1203, 1226]

// Errors that leave open whether an autocommit write happened: the group was lost, the server stopped, or the
// statement was killed while it ran, also by its own limit (1969, ER_STATEMENT_TIMEOUT). 1047 is not among them: a
// node sends it before it begins a statement; a statement that is running when the quorum is lost gets 1180 (observed
// with MariaDB 10.11 and Galera 4).
const ambiguousAtCommit: readonly number[] = [1053, 1180, 1317, 1927, 1969]

// Refusals of the login that hold for every server and do not go away by waiting.
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

/** As {@link classify}, for the answer to COMMIT or to an autocommit write. */
export function classifyCommit(error: unknown): Verdict {
  const verdict = classify(error)
  const open =
    error instanceof DriverError && error.stage === 'answered' && ambiguousAtCommit.includes(error.errno ?? 0)
  return open ? { ...verdict, effect: 'unknown' } : verdict
}

/** Whether every other server would refuse the login too. */
export function isRefusedLogin(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno !== undefined && refusedLoginErrnos.includes(errno)
}

function classifyDriverError(error: DriverError): Verdict {
  switch (error.stage) {
    case 'unsent':
      // Either the connection had ended, or the arguments cannot be encoded at all.
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

// The driver's ER_CMD_CONNECTION_CLOSED: nothing was sent.
const connectionClosedErrno = 45013

function errnoOf(error: unknown): number | undefined {
  if (error instanceof DriverError) return error.errno
  return isHaError(error) && typeof error.serverCode === 'number' ? error.serverCode : undefined
}

/**
 * The stage that a failed statement reached. `unsent`: it was not sent. `answered`: the server returned an error.
 * `unread`: the server executed it, and its answer could not be read. `lost`: the connection ended before the answer.
 */
export type Stage = 'unsent' | 'answered' | 'unread' | 'lost'

interface DriverErrorDetails {
  readonly stage: Stage
  /** The server's error number, or the driver's own from 45001 on. */
  readonly errno?: number | undefined
  readonly sqlState?: string | undefined
  /** The name of the error, such as `ER_DUP_ENTRY` or `ECONNRESET`. */
  readonly code?: string | undefined
  readonly cause?: unknown
}

/** The failure of a statement. Contains neither the statement nor its values. */
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

/**
 * Converts an error of the driver. The original is not kept as the cause, because it contains the text of the
 * statement.
 */
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
  // For these, the driver advises options that are not for users of this package.
  const said = driverTexts[errno]?.(sqlMessage ?? '') ?? sqlMessage
  return new DriverError(`${code}: ${said}`, { stage: stageOf(thrown), errno, sqlState, code })
}

/** A statement that does not fit into a packet of the server. */
export class PacketTooLarge extends Error {
  constructor(bytes: number, maxBytes: number) {
    super(
      `the statement has ${bytes} bytes, and max_allowed_packet of the server is ${maxBytes}; send less at once, or raise it`,
    )
    this.name = 'PacketTooLarge'
  }
}

// The driver's ER_LOCAL_INFILE_DISABLED: the server asked for a file, and the driver sent none.
const localFileErrno = 45_021

const driverTexts: Readonly<Record<number, (message: string) => string>> = {
  [localFileErrno]: () =>
    'LOAD DATA LOCAL is refused, because a server could request any file of this machine; read the file and use batch()',
  45040: duplicateFieldText, // ER_DUPLICATE_FIELD
}

function duplicateFieldText(message: string): string {
  const name = /`([^`]+)`/.exec(message)?.[1]
  return `two columns have the same name '${name ?? ''}'; give one of them an alias with AS`
}

/** For a statement that was not sent: the connection had ended, or its arguments cannot be encoded. */
export function unsentError(cause: Error): DriverError {
  const message = `not sent: ${cause.message}`
  // A statement that is larger than a packet of the server: its own error for that.
  if (cause instanceof PacketTooLarge)
    return new DriverError(message, { stage: 'unsent', errno: 1153, code: 'ER_NET_PACKET_TOO_LARGE', cause })
  const code = isHaError(cause) ? 'ER_CMD_CONNECTION_CLOSED' : 'ER_BAD_PARAMETER_VALUE'
  return new DriverError(message, { stage: 'unsent', code, cause })
}

/** For a statement that was executed, and whose answer cannot be read. */
export function unreadableError(cause: Error): DriverError {
  return new DriverError(`the answer cannot be read: ${cause.message}`, { stage: 'unread', cause })
}

/** For a statement whose connection ended before the answer. */
export function lostError(cause: Error): DriverError {
  return new DriverError('the connection ended before the answer', { stage: 'lost', cause })
}

/** Whether the error came from the server. The driver's own numbers begin at 45001. */
export function isServerError(error: unknown): error is SqlError {
  return error instanceof SqlError && (error.errno < 45_001 || error.errno > 45_999)
}

// Raised before a byte of the command is written: closed connection, missing arguments, no statement, no rows.
const unsentErrnos: readonly number[] = [45_013, 45_016, 45_017, 45_018, 45_031, 45_038, 45_049]

// Raised while an answer is read: duplicate column names, a number out of range for the options.
const unreadErrnos: readonly number[] = [45_040, 45_050, 45_058]

function stageOf(thrown: SqlError): Stage {
  const { errno } = thrown
  // The server asks for the file before it changes anything.
  if (isServerError(thrown) || errno === localFileErrno) return 'answered'
  if (unsentErrnos.includes(errno)) return 'unsent'
  return unreadErrnos.includes(errno) ? 'unread' : 'lost'
}
