import { isHaError, type Verdict } from '@ha/core'
import { verdictTable } from '@ha/core/driver'
import { DriverError } from './driver-error.ts'

const final: Verdict = { scope: 'call', effect: 'none', transient: false }
const later: Verdict = { scope: 'call', effect: 'none', transient: true }
const elsewhere: Verdict = { scope: 'endpoint', effect: 'none', transient: true }
const broken: Verdict = { scope: 'connection', effect: 'unknown', transient: true }
const gone: Verdict = { scope: 'endpoint', effect: 'unknown', transient: true }
const everywhere: Verdict = { scope: 'cluster', effect: 'none', transient: false }

// What the server answers to a statement. What is not here is an ordinary error of the statement.
const byErrno = verdictTable(
  {
    1020: later, // ER_CHECKREAD: the row changed since the snapshot
    1040: later, // ER_CON_COUNT_ERROR: no free connection
    1047: elsewhere, // ER_UNKNOWN_COM_ERROR: the Galera node has no quorum, or rejects queries
    1053: { ...elsewhere, effect: 'unknown' }, // ER_SERVER_SHUTDOWN
    1105: { ...final, effect: 'unknown' }, // ER_UNKNOWN_ERROR
    1129: elsewhere, // ER_HOST_IS_BLOCKED: too many broken handshakes from here
    1180: { ...later, effect: 'unknown' }, // ER_ERROR_DURING_COMMIT
    1203: later, // ER_TOO_MANY_USER_CONNECTIONS
    1205: later, // ER_LOCK_WAIT_TIMEOUT: only the statement is undone
    1213: later, // ER_LOCK_DEADLOCK: also a failed certification
    1226: later, // ER_USER_LIMIT_REACHED
    1290: elsewhere, // ER_OPTION_PREVENTS_STATEMENT: read_only
    1317: later, // ER_QUERY_INTERRUPTED: killed, or aborted by a transaction of another node
    1836: elsewhere, // ER_READ_ONLY_MODE
    1927: broken, // ER_CONNECTION_KILLED
  },
  final,
)

// A server that says so is full, not dead.
const full: readonly number[] = [1040, 1203, 1226]

// Answers that leave open whether a write that commits by itself happened: the group was lost, the server went, or the
// statement was killed while it was under way, by somebody or (1969, ER_STATEMENT_TIMEOUT) by its own limit. 1047 is not
// among them: a node says it before it begins a statement; the one that is under way when the quorum goes gets 1180
// (seen on MariaDB 10.11 with Galera 4).
const openAtCommit: readonly number[] = [1053, 1180, 1317, 1927, 1969]

// No login of these credentials, on no server: what waiting does not cure.
const refusedLogins: readonly number[] = [1044, 1045, 1049, 1130, 1251, 1524, 1698, 1820, 1862]

const byOwnCode = verdictTable(
  {
    unresponsive: gone,
    stalled: gone,
    lost: gone,
    unreachable: elsewhere,
    refused: everywhere,
    exhausted: later,
    'timed-out': { scope: 'call', effect: 'unknown', transient: true },
    aborted: { scope: 'call', effect: 'unknown', transient: false },
    'config-invalid': final,
  },
  { scope: 'call', effect: 'unknown', transient: true },
)

/** What an error of the driver, of the server or of this package means. A COMMIT is judged by {@link classifyCommit}. */
export function classify(error: unknown): Verdict {
  if (error instanceof DriverError) return ofStatement(error)
  if (!isHaError(error)) return byOwnCode(undefined)
  // Said before the login.
  if (full.includes(errnoOf(error) ?? 0)) return later
  // A session that was killed or timed out says nothing of its server; one that shuts down does.
  if (error.code === 'lost' && error.serverCode !== undefined)
    return { ...byErrno(error.serverCode), effect: 'unknown', transient: true }
  return byOwnCode(error.code)
}

/** As {@link classify}, for the answer to a COMMIT, or to a write that commits by itself. */
export function classifyCommit(error: unknown): Verdict {
  const verdict = classify(error)
  const open =
    error instanceof DriverError && error.stage === 'answered' && openAtCommit.includes(error.errno ?? 0)
  return open ? { ...verdict, effect: 'unknown' } : verdict
}

/** Whether a login was refused for a reason that no other server would judge otherwise. */
export function isRefusedLogin(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno !== undefined && refusedLogins.includes(errno)
}

function ofStatement(error: DriverError): Verdict {
  switch (error.stage) {
    case 'unsent':
      // Either the connection was over, or the arguments can be written on none.
      return isHaError(error.cause) || error.errno === connectionClosed ? elsewhere : final
    case 'answered':
      return byErrno(error.errno)
    case 'unread':
      return { ...final, effect: 'unknown' }
    case 'lost':
      return isHaError(error.cause) ? classify(error.cause) : gone
  }
}

// The driver's ER_CMD_CONNECTION_CLOSED: nothing was written.
const connectionClosed = 45013

function errnoOf(error: unknown): number | undefined {
  if (error instanceof DriverError) return error.errno
  return isHaError(error) && typeof error.serverCode === 'number' ? error.serverCode : undefined
}
