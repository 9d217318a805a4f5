import { AsyncResource } from 'node:async_hooks'
import type { Events } from '@ha/core'
import { checked, flag } from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'
import type { Acl, Bytes, Node } from '../node.ts'
import { resolveOptions } from '../operations/call-options.ts'
import type { CallOptions, CreateOptions } from '../operations/operations.ts'

/** The state of an {@link Ephemeral}. */
export type EphemeralState =
  /** The node does not exist yet, or not any more. `reason` says why, if that is known. */
  | { readonly kind: 'pending'; readonly reason: Error | undefined }
  /** The node exists and belongs to the current session of this client. */
  | { readonly kind: 'held'; readonly path: string; readonly czxid: bigint }
  /** Withdrawn: the node is deleted as soon as a connection allows it. */
  | { readonly kind: 'withheld' }
  | { readonly kind: 'closed' }

/** The events of an {@link Ephemeral}: each change of its state. */
export type EphemeralEvents = {
  readonly state: EphemeralState
}

/**
 * A node that exists while this client does: it is created again in each later session, and when another client deletes
 * it. A node of the current session is never deleted in order to be created again.
 */
export interface Ephemeral extends Events<EphemeralEvents>, AsyncDisposable {
  /** The path of the node. For a sequential node, the requested path until the node exists. */
  readonly path: string
  /** Whether the node exists, and why not. */
  readonly state: EphemeralState
  /** Resolves when the node is held; rejects with `timed-out` and the reason, or with `closed`. */
  ready(limit?: CallOptions): Promise<void>
  /** Changes the data of the node. Resolves when the servers have them; when it rejects, they are written later. */
  update(data: Bytes | (() => Bytes), limit?: CallOptions): Promise<void>
  /** Deletes the node until {@link restore}. Resolves when it is deleted; when it rejects, it is deleted later. */
  withdraw(limit?: CallOptions): Promise<void>
  /** Creates the node again after {@link withdraw}. Resolves when it is held; when it rejects, it is created later. */
  restore(limit?: CallOptions): Promise<void>
  /**
   * Deletes the node for good. Idempotent, never rejects: a node that cannot be deleted in time is deleted when the
   * connection is back, or ends with the session.
   */
  close(limit?: Pick<CallOptions, 'timeoutMs'>): Promise<void>
}

/** How an ephemeral node is created and maintained. */
export interface EphemeralOptions {
  /**
   * Whether a node that another session holds belongs to an earlier process of this client, and may be replaced at once:
   * `true` where the path identifies the client, or a function of the node. A node that was created after this client's
   * own one is never replaced, so that two clients with one name do not displace each other for ever. Default false: the
   * client waits until the other node ends.
   *
   * The replacement compares versions only, because servers offer no other comparison. If the observed node ends after
   * the read, and within that round trip another client creates a node with the same version at the path (usually one
   * that was never written to), then the node of that client is replaced; its watch reports that. Where other clients may
   * use the path, do not take over.
   */
  readonly takeover?: boolean | ((node: Node) => boolean) | undefined
  /** The server appends a ten-digit number to the name, a new one each time the node is created. Default false. */
  readonly sequential?: boolean | undefined
  /** Default: the client's `acl` for the path. Also for missing parents, as in {@link CreateOptions.acl}. */
  readonly acl?: readonly Acl[] | undefined
  /** Creates missing parents, as in {@link CreateOptions.parents}. Default true. */
  readonly parents?: boolean | 'container' | undefined
}

/** {@link EphemeralOptions}, checked and completed. */
export interface ResolvedEphemeralOptions {
  readonly takeover: (node: Node) => boolean
  readonly sequential: boolean
  readonly acl: readonly Acl[] | undefined
  readonly parents: boolean | 'container'
}

/** Throws `config-invalid`, with all problems in the message. */
export function resolveEphemeralOptions(given: EphemeralOptions | undefined): ResolvedEphemeralOptions {
  return resolveOptions<ResolvedEphemeralOptions>(
    {
      takeover: checked(readTakeover, never),
      sequential: flag(false),
      // The servers check the entries.
      acl: checked<readonly Acl[] | undefined>(readAcl, undefined),
      parents: checked(readParents, true),
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
  if (typeof value === 'function') {
    const isOurs = AsyncResource.bind((node: Node) => value(node) === true)
    return isOurs
  }
  throw new ZookeeperError('config-invalid', `${path}: expected true, false or a function of a node`)
}

function readParents(value: unknown, path: string): boolean | 'container' {
  if (value === undefined) return true
  if (typeof value === 'boolean' || value === 'container') return value
  throw new ZookeeperError('config-invalid', `${path}: expected true, false or 'container'`)
}

function readAcl(value: unknown, path: string): readonly Acl[] | undefined {
  if (value === undefined || Array.isArray(value)) return value
  throw new ZookeeperError('config-invalid', `${path}: expected a list of ACLs`)
}
