import { type AclEntry, permission } from '../wire/acl.ts'
import { nameOf, parentOf } from './path.ts'
import { containerOwner, isEphemeral, ttlOf, type Znode } from './znode.ts'

/** One node that a transaction made, removed or changed. */
export interface Change {
  readonly kind: 'created' | 'deleted' | 'data' | 'acl'
  readonly path: string
  /** As it is afterwards; of one that was removed, as it was. */
  readonly node: Znode
  /** The node above as it is afterwards, when a child came or went. */
  readonly parent: Znode | undefined
}

/** What the quorum has agreed upon. */
export interface Txn {
  readonly zxid: bigint
  /** When it was agreed upon, by the clock of the ensemble. */
  readonly atMs: number
  /** The same by the calendar, in milliseconds since 1970. */
  readonly timeMs: number
  /** Who asked for it; 0 for the servers themselves. */
  readonly session: bigint
  readonly changes: readonly Change[]
  /** The session that it ends. */
  readonly ended: bigint | undefined
}

/** Everybody may do everything. */
export const openAcl: readonly AclEntry[] = [{ permissions: permission.all, scheme: 'world', id: 'anyone' }]

/** All nodes, as they are after the transactions that were applied. */
export class Tree {
  readonly #nodes = new Map<string, Znode>()
  readonly #children = new Map<string, Set<string>>()
  readonly #owned = new Map<bigint, Set<string>>()
  readonly #passing = new Set<string>()
  #lastZxid = 0n

  constructor() {
    // What every ensemble has from the beginning. These children were never counted.
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

  /** The paths of the nodes that end with a session, in the order in which they were made. */
  ownedBy(session: bigint): readonly string[] {
    return [...(this.#owned.get(session) ?? [])]
  }

  /** The sessions that own nodes. */
  owners(): readonly bigint[] {
    return [...this.#owned.keys()]
  }

  /** The paths of the nodes that the servers remove when nobody needs them: containers, and those with a TTL. */
  passing(): readonly string[] {
    return [...this.#passing]
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
    if (isPassing(node)) this.#passing.add(path)
    if (isEphemeral(node)) this.#owned.set(node.owner, (this.#owned.get(node.owner) ?? new Set()).add(path))
  }

  #remove({ path, node }: Change): void {
    this.#nodes.delete(path)
    this.#children.delete(path)
    this.#childrenOf(parentOf(path)).delete(nameOf(path))
    this.#passing.delete(path)
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

function isPassing(node: Znode): boolean {
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
    born: 0,
    childCount,
    owner: 0n,
  }
}
