import { isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import { SqlError } from 'mariadb'

/**
 * How far a statement came. `unsent`: the server was never asked to do it. `answered`: the server
 * said no. `unread`: the server did it, and its answer could not be read. `lost`: the connection ended before the answer.
 */
export type Stage = 'unsent' | 'answered' | 'unread' | 'lost'

export interface DriverErrorDetails {
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
export function driverError(thrown: unknown): DriverError {
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
export function unsent(cause: Error): DriverError {
  const code = isHaError(cause) ? 'ER_CMD_CONNECTION_CLOSED' : 'ER_BAD_PARAMETER_VALUE'
  return new DriverError(`not sent: ${cause.message}`, {
    stage: 'unsent',
    code,
    cause,
  })
}

/** A statement that was done and whose answer cannot be read. */
export function unread(cause: Error): DriverError {
  return new DriverError(`the answer cannot be read: ${cause.message}`, { stage: 'unread', cause })
}

/** A statement that was under way when its connection ended. */
export function lost(cause: Error): DriverError {
  return new DriverError('the connection ended before the answer', { stage: 'lost', cause })
}

/** Whether the server said so itself, and not the driver: its own numbers begin at 45001. */
export function saidByServer(error: unknown): error is SqlError {
  return error instanceof SqlError && (error.errno < 45_001 || error.errno > 45_999)
}

// These are raised before a byte of the command is written: a connection
// that is closed, arguments that are missing, no statement, no rows.
const beforeSending: readonly number[] = [45_013, 45_016, 45_017, 45_018, 45_031, 45_038, 45_049]

// Raised over an answer that came: two columns of one name, a number too large for the options.
const overTheAnswer: readonly number[] = [45_040, 45_050, 45_058]

function stageOf(thrown: SqlError): Stage {
  if (saidByServer(thrown)) return 'answered'
  const { errno } = thrown
  if (beforeSending.includes(errno)) return 'unsent'
  return overTheAnswer.includes(errno) ? 'unread' : 'lost'
}
