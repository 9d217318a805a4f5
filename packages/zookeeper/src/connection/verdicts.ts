import { isHaError, type Verdict } from '@ha/core'
import { verdictTable } from '@ha/core/driver'
import { MalformedError } from '../driver/malformed.ts'
import { ReplyError } from '../driver/reply-error.ts'
import { ConnectionError } from './connection-error.ts'
import { TooLargeError } from './too-large-error.ts'

const final: Verdict = { scope: 'call', effect: 'none', transient: false }
const later: Verdict = { scope: 'call', effect: 'none', transient: true }
const open: Verdict = { scope: 'call', effect: 'unknown', transient: true }
const unread: Verdict = { scope: 'call', effect: 'unknown', transient: false }
const again: Verdict = { scope: 'connection', effect: 'none', transient: true }
const elsewhere: Verdict = { scope: 'endpoint', effect: 'none', transient: true }
const gone: Verdict = { scope: 'endpoint', effect: 'unknown', transient: true }
const everywhere: Verdict = { scope: 'cluster', effect: 'none', transient: false }

// What a server answers to a request. What is not here is an ordinary no.
const byReplyCode = verdictTable(
  {
    '-1': unread, // SYSTEMERROR
    '-2': unread, // RUNTIMEINCONSISTENCY
    '-3': unread, // DATAINCONSISTENCY
    '-4': again, // CONNECTIONLOSS
    '-7': open, // OPERATIONTIMEOUT
    '-12': again, // UNKNOWNSESSION
    '-112': again, // SESSIONEXPIRED
    '-115': { ...elsewhere, transient: false }, // AUTHFAILED
    '-118': again, // SESSIONMOVED
    '-119': elsewhere, // NOTREADONLY: the server has lost its quorum
    '-122': open, // REQUESTTIMEOUT
    '-124': { ...elsewhere, transient: false }, // SESSIONCLOSEDREQUIRESASLAUTH
    '-127': later, // THROTTLEDOP: turned away before anything was done
  },
  final,
)

const byUnanswered: Readonly<Record<ConnectionError['kind'], Verdict>> = {
  lost: gone,
  over: again,
  full: later,
}

const byTooLarge: Readonly<Record<TooLargeError['what'], Verdict>> = {
  request: final,
  answer: unread,
}

const byOwnCode = verdictTable(
  {
    unresponsive: gone,
    lost: gone,
    unreachable: elsewhere,
    refused: everywhere,
    'auth-failed': { ...elsewhere, transient: false },
    'read-only': elsewhere,
    'session-lost': again,
    throttled: later,
    'timed-out': open,
    aborted: { ...open, transient: false },
    'config-invalid': final,
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
  open,
)

// Node's own, of a stream that was dialled elsewhere.
const byNodeCode = verdictTable(
  {
    ECONNREFUSED: elsewhere,
    EHOSTUNREACH: elsewhere,
    ENETUNREACH: elsewhere,
    ENOTFOUND: elsewhere,
    EAI_AGAIN: elsewhere,
    ECONNRESET: gone,
    EPIPE: gone,
    ETIMEDOUT: gone,
  },
  open,
)

/** What an error of a server, of a connection or of this package means. */
export function classify(error: unknown): Verdict {
  if (error instanceof ReplyError) return byReplyCode(error.code)
  if (error instanceof ConnectionError) return byUnanswered[error.kind]
  if (error instanceof TooLargeError) return byTooLarge[error.what]
  if (error instanceof MalformedError) return unread
  if (isHaError(error)) return byOwnCode(error.code)
  const { code } = (error ?? {}) as { readonly code?: unknown }
  return byNodeCode(typeof code === 'string' ? code : undefined)
}
