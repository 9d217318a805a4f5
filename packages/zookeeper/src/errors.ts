import { type CoreCode, HaError, type HaErrorDetails } from '@ha/core'

/** The details of a {@link ZookeeperError}. */
export interface ZookeeperErrorDetails extends HaErrorDetails {
  /** The node that the error concerns, below the chroot. */
  readonly path?: string | undefined
}

/** An {@link HaError} with the path of the node; `serverCode` is ZooKeeper's error code, such as -101. */
export class ZookeeperError extends HaError<ZookeeperCode> {
  readonly path: string | undefined

  constructor(code: ZookeeperCode, message: string, details: ZookeeperErrorDetails = {}) {
    super(code, message, details)
    this.name = 'ZookeeperError'
    this.path = details.path
  }
}

/** Copies an error with some fields replaced. */
export function withDetails(
  error: ZookeeperError,
  { message, ...replaced }: ZookeeperErrorDetails & { readonly message?: string },
): ZookeeperError {
  const { code, outcome, retryable, endpoint, serverCode, attempts, path, cause } = error
  const details = { outcome, retryable, endpoint, serverCode, attempts, path, cause, ...replaced }
  return new ZookeeperError(code, message ?? error.message, details)
}

/** The codes that only the ZooKeeper client has, beside those of core. */
export const zookeeperCodes = {
  'no-node': {
    meaning: 'The node, or for a create its parent, does not exist (-101).',
    action: 'Create it first; `create` accepts `parents: true`.',
  },
  'node-exists': {
    meaning: 'A node with this path already exists (-110).',
    action: 'Handle it in the application: it is a result of `create`, not a failure of the server.',
  },
  'bad-version': {
    meaning: 'The node has another version than the required one (-103): another client has changed it.',
    action: 'Read the node again and repeat the decision.',
  },
  'not-empty': {
    meaning: 'The node has children and cannot be deleted (-111).',
    action: 'Delete the children first, or pass `recursive: true`.',
  },
  'no-children-for-ephemerals': {
    meaning: 'An ephemeral node cannot have children (-108).',
    action: 'Make the parent persistent or a container.',
  },
  'no-auth': {
    meaning: 'The node’s ACL does not allow this to the credentials of the session (-102).',
    action: 'Pass the right `auth`, or change the ACL of the node.',
  },
  'invalid-acl': {
    meaning: 'The server does not accept the ACL (-114).',
    action:
      'Correct it: an empty list, an unknown scheme, and the scheme `auth` without credentials are refused.',
  },
  'auth-failed': {
    meaning:
      'The server refused credentials of `auth` (-115), or demands a login (-124), and closed the connection.',
    action:
      'Correct the credentials, or use a scheme that the servers support. SASL is not supported; the client asks again, at most once a minute.',
  },
  'session-lost': {
    meaning: 'The session of the operation has ended: its ephemeral nodes are deleted, or will be.',
    action: 'Start again in the new session: leases of the former one are lost.',
  },
  'quota-exceeded': {
    meaning: 'The node’s quota is full (-125).',
    action: 'Delete nodes that are not needed, or raise the quota.',
  },
  throttled: {
    meaning: 'The server is overloaded and repeatedly rejected the request (-127).',
    action: 'Send fewer requests, or find out why the ensemble is slow.',
  },
  'read-only': {
    meaning: 'The server has lost its quorum and answers reads only (-119).',
    action: 'Wait: the client searches for a server that accepts writes.',
  },
  'lease-over': {
    meaning: 'A lease is no longer certain: released, deleted, or its session may have ended.',
    action: 'Stop the work that it protected, and acquire it again.',
  },
  'too-large': {
    meaning:
      'The request exceeds the limit of the servers (`jute.maxbuffer`, 1 MiB) or of `maxRequestBytes`, or the reply exceeds `maxReplyBytes` (4 MiB).',
    action:
      'Write less at once, or distribute the children over several nodes: ZooKeeper is for coordination, not for bulk data. A list that is too large can be deleted with `recursive: true`.',
  },
  unsupported: {
    meaning: 'The servers do not support this request (-6).',
    action: 'Use another operation, or newer servers.',
  },
  'invalid-path': {
    meaning: 'The path is not a valid path of a node.',
    action: 'Correct it as described in the message.',
  },
  'instance-taken': {
    meaning: 'Another live session owns the node of this registration.',
    action:
      'Give each instance its own id, or pass `takeover: true`. The registration is repeated when the other session ends.',
  },
} as const

/** All codes of a {@link ZookeeperError}: those of core and those of ZooKeeper. */
export type ZookeeperCode = CoreCode | keyof typeof zookeeperCodes
