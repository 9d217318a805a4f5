import { type AclEntry, permission, type Stat } from '../wire/records.ts'
import { nameOf, parentOf } from './path.ts'

/** One node that a transaction created, deleted or changed. */
export interface Change {
  readonly kind: 'created' | 'deleted' | 'data' | 'acl'
  readonly path: string
  /** As it is afterwards; of one that was removed, as it was. */
  readonly node: Znode
  /** The node above as it is afterwards, when a child came or went. */
  readonly parent: Znode | undefined
}

/** A committed transaction. */
export interface Txn {
  readonly zxid: bigint
  /** When it was committed, by the clock of the ensemble. */
  readonly atMs: number
  /** The same as wall time, in milliseconds since 1970. */
  readonly timeMs: number
  /** The session that requested it; 0 for the servers themselves. */
  readonly session: bigint
  readonly changes: readonly Change[]
  /** The session that it ends. */
  readonly ended: bigint | undefined
}

/** The ACL with all permissions for everyone. */
const openAcl: readonly AclEntry[] = [{ permissions: permission.all, scheme: 'world', id: 'anyone' }]

/** The tree after the transactions that were applied. */
export class DataTree {
  readonly #nodes = new Map<string, Znode>()
  readonly #children = new Map<string, Set<string>>()
  readonly #owned = new Map<bigint, Set<string>>()
  readonly #removable = new Set<string>()
  #lastZxid = 0n

  constructor() {
    // The nodes of every new ensemble. These children are not counted.
    for (const path of ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota']) {
      if (path !== '/') this.#childrenOf(parentOf(path)).add(nameOf(path))
      this.#nodes.set(path, firstNode(path))
    }
  }

  /** The transaction that was applied last. */
  get lastZxid(): bigint {
    return this.#lastZxid
  }

  get size(): number {
    return this.#nodes.size
  }

  find(path: string): Znode | undefined {
    return this.#nodes.get(path)
  }

  childNames(path: string): readonly string[] {
    return [...(this.#children.get(path) ?? [])]
  }

  /** The paths of the ephemeral nodes of a session, in the order in which they were created. */
  ownedBy(session: bigint): readonly string[] {
    return [...(this.#owned.get(session) ?? [])]
  }

  /** The sessions that own nodes. */
  owners(): readonly bigint[] {
    return [...this.#owned.keys()]
  }

  /** The paths of the nodes that the servers may remove: containers, and nodes with a TTL. */
  removable(): readonly string[] {
    return [...this.#removable]
  }

  /** All paths and their nodes, sorted. */
  entries(): readonly (readonly [string, Znode])[] {
    return [...this.#nodes].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  apply({ zxid, changes }: Txn): void {
    this.#lastZxid = zxid
    for (const change of changes) {
      if (change.parent !== undefined) this.#nodes.set(parentOf(change.path), change.parent)
      if (change.kind === 'deleted') this.#remove(change)
      else this.#put(change)
    }
  }

  #put({ kind, path, node }: Change): void {
    this.#nodes.set(path, node)
    if (kind !== 'created') return
    this.#childrenOf(parentOf(path)).add(nameOf(path))
    if (isRemovable(node)) this.#removable.add(path)
    if (isEphemeral(node)) this.#owned.set(node.owner, (this.#owned.get(node.owner) ?? new Set()).add(path))
  }

  #remove({ path, node }: Change): void {
    this.#nodes.delete(path)
    this.#children.delete(path)
    this.#childrenOf(parentOf(path)).delete(nameOf(path))
    this.#removable.delete(path)
    const owned = this.#owned.get(node.owner)
    owned?.delete(path)
    if (owned?.size === 0) this.#owned.delete(node.owner)
  }

  #childrenOf(path: string): Set<string> {
    const names = this.#children.get(path) ?? new Set()
    this.#children.set(path, names)
    return names
  }
}

function isRemovable(node: Znode): boolean {
  return node.owner === containerOwner || ttlOf(node) !== undefined
}

function firstNode(path: string): Znode {
  const childCount = path === '/' ? 1 : path === '/zookeeper' ? 2 : 0
  return {
    data: Buffer.alloc(0),
    acl: openAcl,
    czxid: 0n,
    mzxid: 0n,
    pzxid: 0n,
    ctimeMs: 0,
    mtimeMs: 0,
    version: 0,
    aversion: 0,
    childSequence: 0,
    childCount,
    owner: 0n,
  }
}

/** One node of the tree. */
export interface Znode {
  readonly data: Buffer | null
  readonly acl: readonly AclEntry[]
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly pzxid: bigint
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly aversion: number
  /** How many children were ever created: the number of the next sequential one. */
  readonly childSequence: number
  readonly childCount: number
  /** The session that owns an ephemeral node, 0, or one of the marks below. */
  readonly owner: bigint
}

/** The owner of a container. */
export const containerOwner: bigint = BigInt.asIntN(64, 0x8000_0000_0000_0000n)

const ttlMark = 0xff00_0000_0000_0000n

/** The owner of a node with a TTL. */
export function ttlOwner(ttlMs: bigint): bigint {
  return BigInt.asIntN(64, ttlMark | ttlMs)
}

/** The TTL of a node in milliseconds; undefined when it has none. */
export function ttlOf({ owner }: Znode): number | undefined {
  const bits = BigInt.asUintN(64, owner)
  return bits >> 56n === ttlMark >> 56n ? Number(bits & 0xff_ffff_ffffn) : undefined
}

/** Whether it is ephemeral. */
export function isEphemeral(node: Znode): boolean {
  return node.owner !== 0n && node.owner !== containerOwner && ttlOf(node) === undefined
}

/** Its stat, as a client receives it. */
export function statOf(node: Znode): Stat {
  const { czxid, mzxid, pzxid, ctimeMs, mtimeMs, version, aversion, childCount } = node
  return {
    czxid,
    mzxid,
    pzxid,
    ctimeMs,
    mtimeMs,
    version,
    aversion,
    // The tree counts created children; `cversion` counts created and removed ones.
    cversion: node.childSequence * 2 - childCount,
    // The marks of containers and TTLs are not sent to clients.
    ephemeralOwner: isEphemeral(node) ? node.owner : 0n,
    dataLength: node.data?.length ?? 0,
    numChildren: childCount,
  }
}
