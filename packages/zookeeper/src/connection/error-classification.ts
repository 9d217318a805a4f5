import { type Endpoint, formatEndpoint, HaError, isHaError, type Verdict } from '@ha/core'
import {
  asError,
  classifier,
  dialFailureText,
  isCertificateError,
  verdicts,
  verdictTable,
  wrapError,
} from '@ha/core/driver'
import { Chroot } from '../chroot.ts'
import { type ZookeeperCode, ZookeeperError } from '../errors.ts'
import { loginDemanded, MalformedError, ReplyError } from '../protocol/error-codes.ts'
import { formatSessionId } from '../protocol/packets.ts'

const { final, later, uncertain, uncertainFinal, reconnect, elsewhere, endpointLost } = verdicts

/** The verdict on an error of a server, of a connection or of this package. */
export const classify: (error: unknown) => Verdict = classifier({
  codes: {
    'auth-failed': { ...elsewhere, transient: false },
    'read-only': elsewhere,
    'session-lost': reconnect,
    throttled: later,
    'no-node': final,
    'node-exists': final,
    'bad-version': final,
    'not-empty': final,
    'no-children-for-ephemerals': final,
    'no-auth': final,
    'invalid-acl': final,
    'quota-exceeded': final,
    'lease-over': final,
    'too-large': final,
    unsupported: final,
    'invalid-path': final,
    'instance-taken': later,
  },
  foreign: (error) => {
    if (error instanceof ReplyError) return byReplyCode(error.code)
    if (error instanceof ConnectionError) return byUnansweredReason[error.kind]
    if (error instanceof TooLargeError) return byTooLarge[error.what]
    if (error instanceof MalformedError) return uncertainFinal
    if (error instanceof RepeatedLossError) return final
    const { code } = (error ?? {}) as { readonly code?: unknown }
    return byNodeCode(typeof code === 'string' ? code : undefined)
  },
})

// The codes of replies. A code that is not listed is an ordinary refusal of the request.
const byReplyCode = verdictTable(
  {
    '-1': uncertainFinal, // SYSTEMERROR
    '-2': uncertainFinal, // RUNTIMEINCONSISTENCY
    '-3': uncertainFinal, // DATAINCONSISTENCY
    '-4': reconnect, // CONNECTIONLOSS
    '-7': uncertain, // OPERATIONTIMEOUT
    '-12': reconnect, // UNKNOWNSESSION
    '-112': reconnect, // SESSIONEXPIRED
    '-115': { ...elsewhere, transient: false }, // AUTHFAILED
    '-118': reconnect, // SESSIONMOVED
    '-119': elsewhere, // NOTREADONLY: the server has lost its quorum
    '-122': uncertain, // REQUESTTIMEOUT
    '-124': { ...elsewhere, transient: false }, // SESSIONCLOSEDREQUIRESASLAUTH
    '-127': later, // THROTTLEDOP: the server rejected the request before processing it
  },
  final,
)

const byUnansweredReason: Readonly<Record<UnansweredReason, Verdict>> = {
  lost: endpointLost,
  over: reconnect,
  full: later,
}

const byTooLarge: Readonly<Record<TooLargeError['what'], Verdict>> = {
  request: final,
  reply: uncertainFinal,
}

// Node's own codes, of a stream that the application's `dial` opened.
const byNodeCode = verdictTable(
  {
    ECONNREFUSED: elsewhere,
    EHOSTUNREACH: elsewhere,
    ENETUNREACH: elsewhere,
    ENOTFOUND: elsewhere,
    EAI_AGAIN: elsewhere,
    ECONNRESET: endpointLost,
    EPIPE: endpointLost,
    ETIMEDOUT: endpointLost,
  },
  uncertain,
)

/**
 * Wraps what an operation rejected with: the reply code of the server becomes `serverCode`, and paths are those of the
 * caller, below the chroot.
 */
export function toZookeeperError(
  thrown: unknown,
  path: string,
  chroot: Chroot = new Chroot(''),
): ZookeeperError {
  return wrapError(thrown, {
    type: ZookeeperError,
    fromCore: (error, details) => {
      const reply = error.cause instanceof ReplyError ? error.cause : undefined
      return new ZookeeperError(codeOf(error), messageOf(error, reply, chroot), {
        ...details,
        serverCode: reply?.code ?? details.serverCode,
        path: changedPath(reply, chroot) ?? path,
      })
    },
    fromForeign: (error) => fromDriverError(error, path),
  })
}

function fromDriverError(thrown: Error, path: string): ZookeeperError {
  if (thrown instanceof ReplyError) {
    const { code, message } = thrown
    const details = { path, serverCode: code, retryable: classify(thrown).transient, cause: thrown }
    return new ZookeeperError(replyErrorCodes[code] ?? 'rejected', message, details)
  }
  if (thrown instanceof ConnectionError) {
    const { kind, message, sent } = thrown
    const outcome = sent ? 'unknown' : 'not-done'
    return new ZookeeperError(unansweredCodes[kind], message, {
      path,
      outcome,
      retryable: true,
      cause: thrown,
    })
  }
  if (thrown instanceof TooLargeError) {
    const outcome = thrown.what === 'request' ? 'not-done' : 'unknown'
    return new ZookeeperError('too-large', thrown.message, { path, outcome, cause: thrown })
  }
  return new ZookeeperError('internal', thrown.message, { path, cause: thrown })
}

// The message of the reply contains the server's path, which begins with the chroot.
function messageOf({ message }: HaError, reply: ReplyError | undefined, chroot: Chroot): string {
  if (reply === undefined) return message
  const changed = changedPath(reply, chroot)
  return message.replace(reply.message, changed === undefined ? reply.reason : `${changed}: ${reply.reason}`)
}

// For a multi, the path of the refused change.
function changedPath(reply: ReplyError | undefined, chroot: Chroot): string | undefined {
  return reply?.index === undefined || reply.path === undefined ? undefined : chroot.toClient(reply.path)
}

const unansweredCodes: Readonly<Record<UnansweredReason, ZookeeperCode>> = {
  lost: 'lost',
  over: 'lost',
  full: 'exhausted',
}

const replyErrorCodes: Readonly<Record<number, ZookeeperCode>> = {
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
  [loginDemanded]: 'auth-failed',
  [-125]: 'quota-exceeded',
  [-127]: 'throttled',
}

function codeOf({ code, cause }: HaError): ZookeeperCode {
  if (code !== 'rejected' && code !== 'retry-budget-exhausted') return code as ZookeeperCode
  if (cause instanceof TooLargeError) return 'too-large'
  if (cause instanceof RepeatedLossError) return 'lost'
  return cause instanceof ReplyError ? (replyErrorCodes[cause.code] ?? 'rejected') : code
}

/** Why a request has no reply. */
type UnansweredReason =
  /** It was sent, and the connection ended: the outcome is unknown. */
  | 'lost'
  /** It was not sent: the connection had ended. */
  | 'over'
  /** It was not sent: too many requests are pending. */
  | 'full'

/** The error of a request without a reply. */
export class ConnectionError extends Error {
  readonly kind: UnansweredReason
  /** Whether the request may have reached the server. */
  readonly sent: boolean

  /** The cause is the error that the connection ended with. */
  constructor(kind: UnansweredReason, request: string, cause?: HaError) {
    super(`${request}: ${unansweredMessages[kind]}`, cause === undefined ? undefined : { cause })
    this.name = 'ConnectionError'
    this.kind = kind
    this.sent = kind === 'lost'
  }
}

const unansweredMessages: Readonly<Record<UnansweredReason, string>> = {
  lost: 'the connection ended before the reply',
  over: 'not sent, because the connection has ended',
  full: 'not sent, because too many requests are pending on the connection',
}

/** A request that was on every one of several connections when they ended, in the end with no other one. */
export class RepeatedLossError extends Error {
  constructor(request: string, losses: number) {
    super(
      `${request}: ${losses} connections ended before the reply, in the end with no other request on them`,
    )
    this.name = 'RepeatedLossError'
  }
}

/** A request or a reply that exceeds the limit of one packet. */
export class TooLargeError extends Error {
  /** A request was not sent. A reply was not kept: its request may have been executed. */
  readonly what: 'request' | 'reply'

  /** `limit` is the limit in bytes, or what is known of it. */
  constructor(what: 'request' | 'reply', request: string, bytes: number, limit: number | string) {
    const why = typeof limit === 'number' ? `the limit is ${limit}` : limit
    super(`${request}: the ${what} has ${bytes} bytes, ${why}`)
    this.name = 'TooLargeError'
    this.what = what
  }
}

/** The end of a connection with pending requests. */
export function connectionLost(thrown: Error, at: Endpoint): HaError {
  const endpoint = formatEndpoint(at)
  const cause = asError(thrown)
  const details = { outcome: 'unknown', retryable: true, endpoint, cause } as const
  return new HaError('lost', `${endpoint}: ${cause.message}`, details)
}

/** The end of a connection whose server was silent for too long. */
export function serverUnresponsive(quietMs: number, at: Endpoint): HaError {
  const endpoint = formatEndpoint(at)
  const message = `${endpoint} sent nothing for ${Math.round(quietMs)} ms`
  return new HaError('unresponsive', message, { outcome: 'unknown', retryable: true, endpoint })
}

const authFailed = -115

/** A plain connection has reached a port with TLS. */
export function tlsRequiredError(endpoint: string, cause: Error): HaError {
  const message = `${endpoint}: the server speaks TLS on this port: pass tls: true, or options of node:tls (${cause.message})`
  return new HaError('refused', message, { endpoint, cause })
}

/**
 * Why a server granted no session: `auth-failed`, `refused` when waiting does not help, else `unreachable`. `inTls`: the
 * connection failed before TLS was established.
 */
export function dialError(cause: Error, endpoint: string, inTls = false): HaError {
  if (isHaError(cause)) return cause
  const text = dialFailureText(cause)
  const hint =
    inTls && text === cause.message && isNoTls(cause) ? ': the server seems to speak no TLS on this port' : ''
  const message = `${endpoint}: ${text}${hint}`
  if (cause instanceof ReplyError) {
    const details = { endpoint, serverCode: cause.code, cause }
    return cause.code === authFailed || cause.code === loginDemanded
      ? new ZookeeperError('auth-failed', message, details)
      : new HaError('unreachable', message, { ...details, retryable: true })
  }
  return isCertificateError(cause)
    ? new HaError('refused', message, { endpoint, cause })
    : new HaError('unreachable', message, { endpoint, retryable: true, cause })
}

// What Node.js reports when the other side answers a TLS handshake with other bytes or with the end.
function isNoTls({ code }: Error & { readonly code?: unknown }): boolean {
  return typeof code === 'string' && (code === 'ECONNRESET' || code === 'EPROTO' || /^ERR_SSL_/.test(code))
}

/** The server reported the end of the session. The next dial requests a new one. */
export function expiredError(sessionId: bigint, endpoint: string): ZookeeperError {
  const message = `${endpoint}: session ${formatSessionId(sessionId)} has expired`
  return new ZookeeperError('session-lost', message, { endpoint, retryable: true })
}
