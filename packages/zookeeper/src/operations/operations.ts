import type { Acl, Bytes, Children, Created, Node, Stat, WatchEvent } from '../node.ts'
import type { Change, Changed } from '../protocol/multi.ts'

/** The options of every call. */
export interface CallOptions {
  /** The one deadline of the call, in milliseconds. Default: `operationTimeoutMs` of the client. */
  readonly timeoutMs?: number | undefined
  /** Aborts the call; `outcome` of the error says whether it may have happened. */
  readonly signal?: AbortSignal | undefined
}

/** Options of a create. */
export interface CreateOptions extends CallOptions {
  /**
   * `persistent` (the default) stays; `ephemeral` ends with the session; the servers remove a `container` some time
   * after its last child.
   */
  readonly kind?: 'persistent' | 'ephemeral' | 'container' | undefined
  /** The server appends a number of ten digits to the name, which grows with each child. Default false. */
  readonly sequential?: boolean | undefined
  /**
   * With `persistent`: the servers remove the node when it has no children and has not changed for this long, in
   * milliseconds.
   */
  readonly ttlMs?: number | undefined
  /**
   * Creates missing parents as persistent nodes. With `container`, the direct parent is a container, which the servers
   * remove some time after its last child, together with any data in it. Default false.
   */
  readonly parents?: boolean | 'container' | undefined
  /**
   * Adds a protection mark to the name, by which the node is found when the reply is lost: the outcome is then known.
   * Default: true for sequential nodes, else false.
   */
  readonly protect?: boolean | undefined
  /**
   * Default: what the client's `acl` returns for the path. A given one that allows `create` is also the ACL of the missing
   * parents, since the parent of a node decides who may delete it.
   */
  readonly acl?: readonly Acl[] | undefined
}

/** Options of a call that takes the version of a node. */
export interface VersionOptions extends CallOptions {
  /** The version that the node must have. Default: any. */
  readonly version?: number | undefined
}

/** Options of a write. */
export interface WriteOptions extends VersionOptions {
  /** Whether the write may be repeated. Default false; a lost write with a `version` is looked up instead. */
  readonly repeatable?: boolean | undefined
}

/** The operations of an ensemble. Paths are below the chroot of the connect string. */
export interface Operations {
  /**
   * Rejects with `node-exists`, `no-node` (no parent), `no-children-for-ephemerals`, and with `config-invalid` when the
   * chroot does not exist.
   */
  create(path: string, data?: Bytes, options?: CreateOptions): Promise<Created>
  /** Undefined when the node does not exist. */
  get(path: string, options?: CallOptions): Promise<Node | undefined>
  /** Undefined when the node does not exist. */
  exists(path: string, options?: CallOptions): Promise<Stat | undefined>
  /** Undefined when the node does not exist. */
  children(path: string, options?: CallOptions): Promise<Children | undefined>
  /** Rejects with `no-node`, and with `bad-version` when the node has another version. */
  set(path: string, data: Bytes, options?: WriteOptions): Promise<Stat>
  /** False when the node did not exist. Rejects with `bad-version`, `not-empty`. */
  delete(path: string, options?: WriteOptions): Promise<boolean>
  /** Makes all changes or none. Rejects with the code of the first refused change; `path` is that change's. */
  multi(changes: readonly Change[], options?: CallOptions): Promise<readonly Changed[]>
  /**
   * Resolves when the connected server has caught up with the leader: later reads see everything committed before.
   */
  sync(path?: string, options?: CallOptions): Promise<void>
  /** Undefined when the node does not exist. */
  acl(path: string, options?: CallOptions): Promise<readonly Acl[] | undefined>
  setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat>
}

/** A value that was read, with a watch on it. */
export interface Watched<T> {
  readonly value: T
  /** Removes the watch. */
  unwatch(): void
}

/**
 * Reads that set a watch: `onEvent` is called at most once, when the value has changed. A watch outlives connections
 * and sessions: a change in between is reported on the next connection.
 */
export interface WatchedReads {
  /** A node that does not exist is watched for its creation. */
  get(
    path: string,
    onEvent: (event: WatchEvent) => void,
    options?: CallOptions,
  ): Promise<Watched<Node | undefined>>
  exists(
    path: string,
    onEvent: (event: WatchEvent) => void,
    options?: CallOptions,
  ): Promise<Watched<Stat | undefined>>
  /** A node that does not exist is watched for its creation. */
  children(
    path: string,
    onEvent: (event: WatchEvent) => void,
    options?: CallOptions,
  ): Promise<Watched<Children | undefined>>
}
