import { type CoreCode, HaError, type HaErrorDetails } from '@ha/core'

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
  { message, ...told }: ZookeeperErrorDetails & { readonly message?: string },
): ZookeeperError {
  const { code, outcome, retryable, endpoint, serverCode, attempts, path, cause } = error
  const details = { outcome, retryable, endpoint, serverCode, attempts, path, cause, ...told }
  return new ZookeeperError(code, message ?? error.message, details)
}

/** The codes that only the ZooKeeper client has, beside those of core. */
export const zookeeperCodes = {
  'no-node': {
    meaning: 'The node, or for a create its parent, does not exist (-101).',
    action: 'Make it first; `create` takes `parents: true`.',
  },
  'node-exists': {
    meaning: 'A node with this path exists already (-110).',
    action: 'Decide in the application: it is the answer to a create, not a failure of the server.',
  },
  'bad-version': {
    meaning: 'The node has another version than the one that was asked for (-103): somebody else was faster.',
    action: 'Read it again, and decide anew.',
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
    meaning: 'The node’s ACL does not allow this to anybody whose name this session gave (-102).',
    action: 'Give the client the right `auth`, or the node another ACL.',
  },
  'invalid-acl': {
    meaning: 'The server does not accept the ACL (-114).',
    action: 'Correct it: an empty list, an unknown scheme and `auth` without a login are refused.',
  },
  'auth-failed': {
    meaning: 'The server refused a login of `auth` (-115), and ended the connection.',
    action: 'Correct the credentials, or the scheme that the servers do not have.',
  },
  'session-lost': {
    meaning: 'The session in which this had to happen is over: its ephemeral nodes are gone, or will be.',
    action: 'Begin again in the new session: what was held by the old one is not held any more.',
  },
  'quota-exceeded': {
    meaning: 'The node’s quota is full (-125).',
    action: 'Delete what is not needed, or raise the quota.',
  },
  throttled: {
    meaning: 'The server is overloaded and turned the request away (-127), again and again.',
    action: 'Send less, or look at why the ensemble is slow.',
  },
  'read-only': {
    meaning: 'The server has lost its quorum and only answers reads (-119).',
    action: 'Wait: the client looks for one that takes writes.',
  },
  'lease-over': {
    meaning: 'A lease is no longer certain: released, deleted, or its session may have ended.',
    action: 'Stop what it protected, and acquire it again.',
  },
  'too-large': {
    meaning:
      'The request is larger than the servers take in one piece (`jute.maxbuffer`, 1 MiB), or the answer than the client does (4 MiB).',
    action: 'Write less at once, or divide the children: ZooKeeper is for coordination, not for contents.',
  },
  unsupported: {
    meaning: 'The servers do not know this request (-6).',
    action: 'Use another one, or newer servers.',
  },
  'invalid-path': {
    meaning: 'The path cannot be one of a node.',
    action: 'Correct it as the message says.',
  },
  'instance-taken': {
    meaning: 'Another live session holds the node that this one is to register.',
    action:
      'Give each instance an id of its own, or pass `takeover: true`. It is tried again when the other one goes.',
  },
} as const

export type ZookeeperCode = CoreCode | keyof typeof zookeeperCodes
