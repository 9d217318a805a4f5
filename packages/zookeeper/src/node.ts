/** The data of a node or a request: bytes, or a text that is sent as UTF-8. */
export type Bytes = Uint8Array | string

/** The stat of a node, in ZooKeeper's own terms. `JSON.stringify` writes its large integers as decimal texts. */
export interface Stat {
  /**
   * The zxid of the transaction that created the node. It grows with each transaction of the ensemble, and is the
   * fencing token of leases.
   */
  readonly czxid: bigint
  /** The zxid of the transaction that last changed its data. */
  readonly mzxid: bigint
  /** The zxid of the transaction that last added or removed a child. */
  readonly pzxid: bigint
  /** The time of the creation, in milliseconds since 1970, by the leader's clock. */
  readonly ctimeMs: number
  /** The time of the last change of its data, likewise. */
  readonly mtimeMs: number
  /** The number of changes of its data: a signed number of 32 bits, negative after 2147483647 changes. */
  readonly version: number
  /** The number of changes of its children. */
  readonly cversion: number
  /** The number of changes of its ACL. */
  readonly aversion: number
  /** The session that owns an ephemeral node; 0 for other nodes. */
  readonly ephemeralOwner: bigint
  readonly dataLength: number
  readonly numChildren: number
}

/** A node as it was read. */
export interface Node {
  readonly data: Buffer
  readonly stat: Stat
}

/** The children of a node as they were read: names, not paths, in no particular order. */
export interface Children {
  readonly names: readonly string[]
  readonly stat: Stat
}

/** A node that was created. */
export interface Created {
  /** With the number that the server appended, when the node is sequential. */
  readonly path: string
  readonly stat: Stat
}

/** One entry of an ACL: who may do what with a node. */
export interface Acl {
  readonly permissions: readonly Permission[]
  /** For example `world`, `auth`, `digest`, `ip`. */
  readonly scheme: string
  readonly id: string
}

/** What an entry of an ACL allows. */
export type Permission = 'read' | 'write' | 'create' | 'delete' | 'admin'

/** A change of a watched node. */
export interface WatchEvent {
  readonly kind: 'created' | 'deleted' | 'changed' | 'children'
  readonly path: string
}
