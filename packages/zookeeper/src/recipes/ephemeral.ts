import type { Events } from '@ha/core'
import { checked, flag, resolveOptions } from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'
import type { Acl, Bytes, Node } from '../node.ts'
import type { CallOptions } from '../operations/operations.ts'

/** How an {@link Ephemeral} stands. */
export type EphemeralState =
  /** It is not there yet, or not any more; `reason` says why, as far as that is known. */
  | { readonly kind: 'pending'; readonly reason: Error | undefined }
  /** The node is there and belongs to the session of this client, which is not over. */
  | { readonly kind: 'held'; readonly path: string; readonly czxid: bigint }
  /** Withdrawn: the node is deleted, as soon as a connection allows. */
  | { readonly kind: 'withheld' }
  | { readonly kind: 'closed' }

export type EphemeralEvents = {
  readonly state: EphemeralState
}

/**
 * A node that is there while this client is: made again by itself in each session that follows, and when somebody
 * deletes it. One of the current session is never deleted to be made again.
 */
export interface Ephemeral extends Events<EphemeralEvents>, AsyncDisposable {
  /** The path of the node; of a sequential one, as it was asked for until the node is there. */
  readonly path: string
  readonly state: EphemeralState
  /** Resolves when it is held; rejects with `timed-out` and the reason why it is not, or with `closed`. */
  ready(limit?: CallOptions): Promise<void>
  /** Gives the node other data. Resolves when the servers have them; when it rejects, they are written later. */
  update(data: Bytes | (() => Bytes), limit?: CallOptions): Promise<void>
  /** Deletes the node and keeps it away. Resolves when it is gone; when it rejects, it is deleted later. */
  withdraw(limit?: CallOptions): Promise<void>
  /** Makes the node again after {@link withdraw}. Resolves when it is held; when it rejects, it is made later. */
  restore(limit?: CallOptions): Promise<void>
  /**
   * Deletes the node for good. Idempotent, never rejects: what cannot be deleted in time is deleted when the connection
   * is back, or ends with the session.
   */
  close(limit?: Pick<CallOptions, 'timeoutMs'>): Promise<void>
}

export interface EphemeralOptions {
  /**
   * Whether a node that another session holds is an earlier life of ours, and may be replaced at once: `true` where the
   * path names the instance, or a look at the node. One that came after ours is never replaced, so that two with one
   * name do not drive each other out for ever. Default false: its end is waited for.
   *
   * What is replaced is what was looked at, as far as its version tells, for servers compare nothing else. When it ends
   * after the look, and within that one round trip a stranger takes the path and has written to it as often (never, as a
   * rule), it is the stranger that is replaced, and told so by its watch. Let no stranger use the path, or wait.
   */
  readonly takeover?: boolean | ((node: Node) => boolean) | undefined
  /** The server adds a number of ten digits to the name, and another one each time the node is made. Default false. */
  readonly sequential?: boolean | undefined
  /** Default: what the client's `acl` says of the path. */
  readonly acl?: readonly Acl[] | undefined
  /** Makes the parents that are missing, as containers where the server has them. Default true. */
  readonly parents?: boolean | undefined
}

/** {@link EphemeralOptions}, checked and completed. */
export interface ResolvedEphemeralOptions {
  readonly takeover: (node: Node) => boolean
  readonly sequential: boolean
  readonly acl: readonly Acl[] | undefined
  readonly parents: boolean
}

/** Throws `config-invalid`, which names every problem. */
export function resolveEphemeralOptions(given: EphemeralOptions | undefined): ResolvedEphemeralOptions {
  return resolveOptions<ResolvedEphemeralOptions>(
    {
      takeover: checked(readTakeover, never),
      sequential: flag(false),
      // The servers say what is wrong with it.
      acl: checked<readonly Acl[] | undefined>(readAcl, undefined),
      parents: flag(true),
    },
    given,
    'ephemeral',
  )
}

const never = (): boolean => false
const always = (): boolean => true

function readTakeover(value: unknown, path: string): (node: Node) => boolean {
  if (value === undefined || value === false) return never
  if (value === true) return always
  if (typeof value === 'function') return (node) => value(node) === true
  throw new ZookeeperError('config-invalid', `${path}: expected true, false or a function of a node`)
}

function readAcl(value: unknown, path: string): readonly Acl[] | undefined {
  if (value === undefined || Array.isArray(value)) return value
  throw new ZookeeperError('config-invalid', `${path}: expected a list of ACLs`)
}
