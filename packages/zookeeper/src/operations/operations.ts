import type { Acl, Bytes, Children, Created, Node, Stat, WatchEvent } from '../node.ts'
import type { Change, Changed } from '../protocol/multi.ts'

/** What every call takes. */
export interface CallOptions {
  /** The one deadline of the call, in milliseconds. Default: `operationTimeoutMs` of the client. */
  readonly timeoutMs?: number | undefined
  /** Ends the wait; read `outcome` of the error. */
  readonly signal?: AbortSignal | undefined
}

export interface CreateOptions extends CallOptions {
  /**
   * `persistent` (the default) stays; `ephemeral` ends with the session; `container` is removed by the servers some
   * time after its last child has gone.
   */
  readonly kind?: 'persistent' | 'ephemeral' | 'container' | undefined
  /** The server adds a number of ten digits to the name, which grows with each child made. Default false. */
  readonly sequential?: boolean | undefined
  /** With `persistent`: removed when it was not changed for this long, in milliseconds, and has no children. */
  readonly ttlMs?: number | undefined
  /** Makes the parents that are missing, as containers where the server has them. Default false. */
  readonly parents?: boolean | undefined
  /**
   * Puts a mark into the name, by which the node is found when the answer is lost: the call is then resolved instead
   * of unknown. Default: true for sequential nodes, false for others.
   */
  readonly protect?: boolean | undefined
  /** Default: what the client's `acl` says of the path. */
  readonly acl?: readonly Acl[] | undefined
}

export interface VersionOptions extends CallOptions {
  /** The version that the node must have; without it, any. */
  readonly version?: number | undefined
}

export interface WriteOptions extends VersionOptions {
  /** Whether twice is harmless. Default: false; a write with `version` that was lost is looked up instead. */
  readonly repeatable?: boolean | undefined
}

/** What can be asked of an ensemble. Paths are below the chroot of the connect string. */
export interface Operations {
  /**
   * Rejects with `node-exists`, `no-node` (no parent), `no-children-for-ephemerals`, and with `config-invalid` when there
   * is no chroot.
   */
  create(path: string, data?: Bytes, options?: CreateOptions): Promise<Created>
  /** Undefined when there is no such node. */
  get(path: string, options?: CallOptions): Promise<Node | undefined>
  /** Undefined when there is no such node. */
  exists(path: string, options?: CallOptions): Promise<Stat | undefined>
  /** Undefined when there is no such node. */
  children(path: string, options?: CallOptions): Promise<Children | undefined>
  /** Rejects with `no-node`, and with `bad-version` when the version is another. */
  set(path: string, data: Bytes, options?: WriteOptions): Promise<Stat>
  /** False when there was no such node. Rejects with `bad-version`, `not-empty`. */
  delete(path: string, options?: WriteOptions): Promise<boolean>
  /** Does all changes or none. Rejects with the code of the first that failed; `path` says which. */
  multi(changes: readonly Change[], options?: CallOptions): Promise<readonly Changed[]>
  /** Returns when this server has caught up with all that the leader had committed: reads after it are not stale. */
  sync(path?: string, options?: CallOptions): Promise<void>
  /** Undefined when there is no such node. */
  acl(path: string, options?: CallOptions): Promise<readonly Acl[] | undefined>
  setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat>
}

/** Something that was read, and will be told of once when it is no longer so. */
export interface Watched<T> {
  readonly value: T
  /** Stops watching. */
  unwatch(): void
}

/**
 * Reads that leave a watch behind: `onEvent` is called at most once, when what was read has changed. A watch outlives
 * connections and sessions: what happened in between is told on the next one.
 */
export interface WatchedReads {
  /** Also watches a node that does not exist: told when it is made. */
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
  /** Of a node that does not exist, its making is watched. */
  children(
    path: string,
    onEvent: (event: WatchEvent) => void,
    options?: CallOptions,
  ): Promise<Watched<Children | undefined>>
}
