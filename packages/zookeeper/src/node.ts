/** What a node or a request holds: bytes, or a text that is sent as UTF-8. */
export type Bytes = Uint8Array | string

/** What a server says of a node, in ZooKeeper's own words. */
export interface Stat {
  /** The transaction that made the node: grows with each transaction of the ensemble, and is what leases are fenced with. */
  readonly czxid: bigint
  /** The transaction that last changed its data. */
  readonly mzxid: bigint
  /** The transaction that last added or removed a child. */
  readonly pzxid: bigint
  /** When it was made, in milliseconds since 1970, by the leader's clock. */
  readonly ctimeMs: number
  /** When its data was last changed, likewise. */
  readonly mtimeMs: number
  /** How often its data was changed. */
  readonly version: number
  /** How often its children changed. */
  readonly cversion: number
  /** How often its ACL was changed. */
  readonly aversion: number
  /** The session that the node ends with; 0 for one that does not end with a session. */
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

/** A node that was made. */
export interface Created {
  /** With the number that the server gave it, when it is sequential. */
  readonly path: string
  readonly stat: Stat
}

/** Who may do what with a node. */
export interface Acl {
  readonly permissions: readonly Permission[]
  /** Such as `world`, `auth`, `digest`, `ip`. */
  readonly scheme: string
  readonly id: string
}

export type Permission = 'read' | 'write' | 'create' | 'delete' | 'admin'

/** What happened to a node that was watched. */
export interface WatchEvent {
  readonly kind: 'created' | 'deleted' | 'changed' | 'children'
  readonly path: string
}
