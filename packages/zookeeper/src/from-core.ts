import { type HaError, isHaError } from '@ha/core'
import { asError } from '@ha/core/driver'
import type { ZookeeperCode } from './codes.ts'
import { ConnectionError, type Unanswered } from './connection/connection-error.ts'
import { TooLargeError } from './connection/too-large-error.ts'
import { classify } from './connection/verdicts.ts'
import { ReplyError } from './driver/reply-error.ts'
import { Chroot } from './operations/paths.ts'
import { ZookeeperError } from './zookeeper-error.ts'

/**
 * What an operation of the core rejected with, in the words of ZooKeeper: the server’s code kept as `serverCode`, and
 * paths below the chroot.
 */
export function fromCore(thrown: unknown, path: string, chroot: Chroot = new Chroot('')): ZookeeperError {
  const error = asError(thrown)
  if (!isHaError(error)) return fromConnection(error, path)
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

function fromConnection(thrown: Error, path: string): ZookeeperError {
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
  return reply?.index === undefined || reply.path === undefined ? undefined : chroot.below(reply.path)
}

const unanswered: Readonly<Record<Unanswered, ZookeeperCode>> = {
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
