import { type Endpoint, formatEndpoint, HaError, isHaError, type Verdict } from '@ha/core'
import { asError, isCertificateError, verdictTable } from '@ha/core/driver'
import { Chroot } from '../chroot.ts'
import { type ZookeeperCode, ZookeeperError } from '../errors.ts'
import { MalformedError, ReplyError } from '../protocol/error-codes.ts'
import { formatSessionId } from '../protocol/packets.ts'

const permanent: Verdict = { scope: 'call', effect: 'none', transient: false }
const retryLater: Verdict = { scope: 'call', effect: 'none', transient: true }
const unknownRetryable: Verdict = { scope: 'call', effect: 'unknown', transient: true }
const unknownPermanent: Verdict = { scope: 'call', effect: 'unknown', transient: false }
const sameServerAgain: Verdict = { scope: 'connection', effect: 'none', transient: true }
const otherServer: Verdict = { scope: 'endpoint', effect: 'none', transient: true }
const serverLost: Verdict = { scope: 'endpoint', effect: 'unknown', transient: true }
const wholeCluster: Verdict = { scope: 'cluster', effect: 'none', transient: false }

// What a server answers to a request. What is not here is an ordinary no.
const byReplyCode = verdictTable(
  {
    '-1': unknownPermanent, // SYSTEMERROR
    '-2': unknownPermanent, // RUNTIMEINCONSISTENCY
    '-3': unknownPermanent, // DATAINCONSISTENCY
    '-4': sameServerAgain, // CONNECTIONLOSS
    '-7': unknownRetryable, // OPERATIONTIMEOUT
    '-12': sameServerAgain, // UNKNOWNSESSION
    '-112': sameServerAgain, // SESSIONEXPIRED
    '-115': { ...otherServer, transient: false }, // AUTHFAILED
    '-118': sameServerAgain, // SESSIONMOVED
    '-119': otherServer, // NOTREADONLY: the server has lost its quorum
    '-122': unknownRetryable, // REQUESTTIMEOUT
    '-124': { ...otherServer, transient: false }, // SESSIONCLOSEDREQUIRESASLAUTH
    '-127': retryLater, // THROTTLEDOP: turned away before anything was done
  },
  permanent,
)

const byUnanswered: Readonly<Record<ConnectionError['kind'], Verdict>> = {
  lost: serverLost,
  over: sameServerAgain,
  full: retryLater,
}

const byTooLarge: Readonly<Record<TooLargeError['what'], Verdict>> = {
  request: permanent,
  answer: unknownPermanent,
}

const byOwnCode = verdictTable(
  {
    unresponsive: serverLost,
    lost: serverLost,
    unreachable: otherServer,
    refused: wholeCluster,
    'auth-failed': { ...otherServer, transient: false },
    'read-only': otherServer,
    'session-lost': sameServerAgain,
    throttled: retryLater,
    'timed-out': unknownRetryable,
    aborted: { ...unknownRetryable, transient: false },
    'config-invalid': permanent,
    'no-node': permanent,
    'node-exists': permanent,
    'bad-version': permanent,
    'not-empty': permanent,
    'no-children-for-ephemerals': permanent,
    'no-auth': permanent,
    'invalid-acl': permanent,
    'quota-exceeded': permanent,
    'lease-over': permanent,
    'too-large': permanent,
    unsupported: permanent,
    'invalid-path': permanent,
    'instance-taken': retryLater,
  },
  unknownRetryable,
)

// Node's own, of a stream that was dialled elsewhere.
const byNodeCode = verdictTable(
  {
    ECONNREFUSED: otherServer,
    EHOSTUNREACH: otherServer,
    ENETUNREACH: otherServer,
    ENOTFOUND: otherServer,
    EAI_AGAIN: otherServer,
    ECONNRESET: serverLost,
    EPIPE: serverLost,
    ETIMEDOUT: serverLost,
  },
  unknownRetryable,
)

/** What an error of a server, of a connection or of this package means. */
export function classify(error: unknown): Verdict {
  if (error instanceof ReplyError) return byReplyCode(error.code)
  if (error instanceof ConnectionError) return byUnanswered[error.kind]
  if (error instanceof TooLargeError) return byTooLarge[error.what]
  if (error instanceof MalformedError) return unknownPermanent
  if (isHaError(error)) return byOwnCode(error.code)
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return byNodeCode(typeof code === 'string' ? code : undefined)
}

/**
 * What an operation of the core rejected with, in the words of ZooKeeper: the server’s code kept as `serverCode`, and
 * paths below the chroot.
 */
export function wrapError(thrown: unknown, path: string, chroot: Chroot = new Chroot('')): ZookeeperError {
  const error = asError(thrown)
  if (!isHaError(error)) return wrapConnectionError(error, path)
  if (error instanceof ZookeeperError) return error
  const reply = error.cause instanceof ReplyError ? error.cause : undefined
  return new ZookeeperError(codeOf(error), messageOf(error, reply, chroot), {
    path: changedPath(reply, chroot) ?? path,
    outcome: error.outcome,
    retryable: error.retryable,
    endpoint: error.endpoint,
    serverCode: reply?.code ?? error.serverCode,
    attempts: error.attempts,
    cause: error.cause ?? error,
  })
}

function wrapConnectionError(thrown: Error, path: string): ZookeeperError {
  if (thrown instanceof ReplyError) {
    const { code, message } = thrown
    const details = { path, serverCode: code, retryable: classify(thrown).transient, cause: thrown }
    return new ZookeeperError(codes[code] ?? 'rejected', message, details)
  }
  if (thrown instanceof ConnectionError) {
    const { kind, message, sent } = thrown
    const outcome = sent ? 'unknown' : 'not-done'
    return new ZookeeperError(unanswered[kind], message, { path, outcome, retryable: true, cause: thrown })
  }
  if (thrown instanceof TooLargeError) {
    const outcome = thrown.what === 'request' ? 'not-done' : 'unknown'
    return new ZookeeperError('too-large', thrown.message, { path, outcome, cause: thrown })
  }
  return new ZookeeperError('internal', thrown.message, { path, cause: thrown })
}

// The server's own words name its path, which begins with the chroot.
function messageOf({ message }: HaError, reply: ReplyError | undefined, chroot: Chroot): string {
  if (reply === undefined) return message
  const changed = changedPath(reply, chroot)
  return message.replace(reply.message, changed === undefined ? reply.reason : `${changed}: ${reply.reason}`)
}

// Of a multi, the path of the change that was refused.
function changedPath(reply: ReplyError | undefined, chroot: Chroot): string | undefined {
  return reply?.index === undefined || reply.path === undefined ? undefined : chroot.toClient(reply.path)
}

const unanswered: Readonly<Record<UnansweredReason, ZookeeperCode>> = {
  lost: 'lost',
  over: 'lost',
  full: 'exhausted',
}

const codes: Readonly<Record<number, ZookeeperCode>> = {
  [-4]: 'lost',
  [-6]: 'unsupported',
  [-8]: 'rejected',
  [-101]: 'no-node',
  [-102]: 'no-auth',
  [-103]: 'bad-version',
  [-108]: 'no-children-for-ephemerals',
  [-110]: 'node-exists',
  [-111]: 'not-empty',
  [-112]: 'session-lost',
  [-114]: 'invalid-acl',
  [-115]: 'auth-failed',
  [-119]: 'read-only',
  [-125]: 'quota-exceeded',
  [-127]: 'throttled',
}

function codeOf({ code, cause }: HaError): ZookeeperCode {
  if (code !== 'rejected' && code !== 'retry-budget-exhausted') return code as ZookeeperCode
  if (cause instanceof TooLargeError) return 'too-large'
  return cause instanceof ReplyError ? (codes[cause.code] ?? 'rejected') : code
}

/** What became of a request that the server did not answer. */
type UnansweredReason =
  /** It was sent, and the connection ended: nobody knows whether it was done. */
  | 'lost'
  /** It was never sent: the connection was over. */
  | 'over'
  /** It was never sent: as much as may be is under way. */
  | 'full'

/** Why a request has no answer. */
export class ConnectionError extends Error {
  readonly kind: UnansweredReason
  /** Whether the request may have reached the server. */
  readonly sent: boolean

  /** The cause is what the connection ended with. */
  constructor(kind: UnansweredReason, request: string, cause?: HaError) {
    super(`${request}: ${unansweredMessages[kind]}`, cause === undefined ? undefined : { cause })
    this.name = 'ConnectionError'
    this.kind = kind
    this.sent = kind === 'lost'
  }
}

const unansweredMessages: Readonly<Record<UnansweredReason, string>> = {
  lost: 'the connection ended before the answer',
  over: 'not sent, because the connection is over',
  full: 'not sent, because too much is under way on the connection',
}

/** A request or an answer that is larger than what may go over a connection in one piece. */
export class TooLargeError extends Error {
  /** A request was not sent. An answer was not kept: what it was asked for may have been done. */
  readonly what: 'request' | 'answer'

  constructor(what: 'request' | 'answer', request: string, bytes: number, mostBytes: number) {
    super(`${request}: the ${what} has ${bytes} bytes, where ${mostBytes} are the most`)
    this.name = 'TooLargeError'
    this.what = what
  }
}

/** The end of a connection that went away under what was asked over it. */
export function connectionLost(thrown: Error, at: Endpoint): HaError {
  const endpoint = formatEndpoint(at)
  const cause = asError(thrown)
  const details = { outcome: 'unknown', retryable: true, endpoint, cause } as const
  return new HaError('lost', `${endpoint}: ${cause.message}`, details)
}

/** The end of a connection whose server said nothing for so long. */
export function serverUnresponsive(quietMs: number, at: Endpoint): HaError {
  const endpoint = formatEndpoint(at)
  const message = `${endpoint} said nothing for ${Math.round(quietMs)} ms`
  return new HaError('unresponsive', message, { outcome: 'unknown', retryable: true, endpoint })
}

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
  const message = `${endpoint}: session ${formatSessionId(sessionId)} is over`
  return new ZookeeperError('session-lost', message, { endpoint, retryable: true })
}
