import { asError, type HaError, isHaError } from '@ha/core'
import type { ZookeeperCode } from './codes.ts'
import { ConnectionError, type Unanswered } from './connection/connection-error.ts'
import { classify } from './connection/verdicts.ts'
import { ReplyError } from './driver/reply-error.ts'
import { Chroot } from './operations/paths.ts'
import { ZookeeperError } from './zookeeper-error.ts'

/**
 * What an operation of the core rejected with, in the words of ZooKeeper: the server’s code kept as `serverCode`, and
 * paths below the chroot.
 */
export function fromCore(thrown: unknown, path: string, chroot: Chroot = new Chroot('')): ZookeeperError {
  if (thrown instanceof ZookeeperError) return thrown
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
  const error = asError(thrown)
  if (!isHaError(error)) return new ZookeeperError('internal', error.message, { path, cause: error })
  const reply = error.cause instanceof ReplyError ? error.cause : undefined
  return new ZookeeperError(codeOf(error, reply), messageOf(error, reply, chroot), {
    path: changedPath(reply, chroot) ?? path,
    outcome: error.outcome,
    retryable: error.retryable,
    endpoint: error.endpoint,
    serverCode: reply?.code ?? error.serverCode,
    attempts: error.attempts,
    cause: error.cause ?? error,
  })
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

function codeOf(error: HaError, reply: ReplyError | undefined): ZookeeperCode {
  if (reply === undefined || (error.code !== 'rejected' && error.code !== 'gave-up'))
    return error.code as ZookeeperCode
  return codes[reply.code] ?? 'rejected'
}
