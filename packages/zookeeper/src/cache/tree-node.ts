import type { Children, Node, Stat } from '../node.ts'
import type { WatchedReads } from '../operations/operations.ts'
import { childOf } from '../operations/paths.ts'
import type { Contents } from './contents.ts'
import { NodeWatcher, type WatcherDeps } from './node-watcher.ts'

interface TreeNodeDeps extends WatcherDeps {
  readonly depth: Depth
  readonly watchedReads: WatchedReads
  readonly contents: Pick<Contents<unknown>, 'put' | 'remove'>
}

/** One node of a cache: the watchers of its data and children, and the nodes below it. */
export class TreeNode {
  readonly #deps: TreeNodeDeps
  readonly #path: string
  readonly #level: number
  readonly #watchers: readonly NodeWatcher<unknown>[]
  readonly #children = new Map<string, TreeNode>()
  /** The latest known stat of the data. */
  #node: Stat | undefined
  /** The latest known stat of the list of children. */
  #list: Stat | undefined

  /** `level` is the distance from the root of the cache. */
  constructor(deps: TreeNodeDeps, path: string, level = 0) {
    this.#deps = deps
    this.#path = path
    this.#level = level
    this.#watchers = aspectsAt(deps.depth, level).map((aspect) => this.#watcher(aspect))
  }

  /** The node exists, according to its parent. */
  follow(): void {
    for (const watcher of this.#watchers) watcher.follow()
  }

  /** All watchers of this node and of those below it, with the paths of their nodes. */
  *watchers(): Iterable<readonly [path: string, watcher: NodeWatcher<unknown>]> {
    for (const watcher of this.#watchers) yield [this.#path, watcher]
    for (const child of this.#children.values()) yield* child.watchers()
  }

  /** Accepts the next read unconditionally: the transaction numbers of another ensemble cannot be compared. */
  forget(): void {
    this.#node = undefined
    this.#list = undefined
    for (const child of this.#children.values()) child.forget()
  }

  /** The node was deleted, and with it all nodes below it. */
  drop(): void {
    for (const watcher of this.#watchers) watcher.drop()
    this.#foldNode(undefined)
    this.#foldChildren(undefined)
  }

  #watcher(aspect: NodeAspect): NodeWatcher<unknown> {
    const { watchedReads } = this.#deps
    const isRoot = this.#level === 0
    switch (aspect) {
      case 'data':
        return new NodeWatcher(this.#deps, {
          isRoot,
          isLeaf: !isRoot,
          read: (onEvent, signal) => watchedReads.get(this.#path, onEvent, { signal }),
          fold: (node: Node | undefined) => this.#foldNode(node),
        })
      case 'children':
        return new NodeWatcher(this.#deps, {
          isRoot,
          isLeaf: false,
          read: (onEvent, signal) => watchedReads.children(this.#path, onEvent, { signal }),
          fold: (children: Children | undefined) => this.#foldChildren(children),
        })
    }
  }

  #foldNode(node: Node | undefined): void {
    const { contents } = this.#deps
    if (node !== undefined && isOlder(node.stat, this.#node, 'mzxid')) return
    this.#node = node?.stat
    if (node === undefined) contents.remove(this.#path)
    else contents.put(this.#path, node)
  }

  #foldChildren(children: Children | undefined): void {
    if (children !== undefined && isOlder(children.stat, this.#list, 'pzxid')) return
    this.#list = children?.stat
    const { added, kept, removed } = listChange(this.#children.keys(), children?.names ?? [])
    for (const name of removed) this.#dropChild(name)
    for (const name of added) {
      this.#children.set(name, new TreeNode(this.#deps, childOf(this.#path, name), this.#level + 1))
    }
    // A kept child may have been deleted and created again.
    for (const name of [...added, ...kept]) this.#children.get(name)?.follow()
  }

  #dropChild(name: string): void {
    this.#children.get(name)?.drop()
    this.#children.delete(name)
  }
}

/** The node itself, its children, or the whole tree. */
export type Depth = 0 | 1 | 'tree'

/** What is read and watched of one node: its data, or the list of its children. */
type NodeAspect = 'data' | 'children'

/** What a cache of this depth follows at a node `level` steps below its root. */
export function aspectsAt(depth: Depth, level: number): readonly NodeAspect[] {
  if (depth === 'tree') return ['data', 'children']
  if (level < depth) return ['children']
  return level === depth ? ['data'] : []
}

/**
 * Whether a read is older than what is known, such as a read from a server that lags behind. A node is created and
 * changed by transactions with increasing numbers; `by` names the one that matters for what was read.
 */
export function isOlder(read: Stat, known: Stat | undefined, by: 'mzxid' | 'pzxid'): boolean {
  if (known === undefined) return false
  return read.czxid === known.czxid ? read[by] < known[by] : read.czxid < known.czxid
}

/** The difference between two lists of children. */
interface ListChange {
  readonly added: readonly string[]
  readonly kept: readonly string[]
  readonly removed: readonly string[]
}

/** The difference between the known children and those that were read. */
export function listChange(known: Iterable<string>, names: readonly string[]): ListChange {
  const before = new Set(known)
  const after = new Set(names)
  return {
    added: [...after].filter((name) => !before.has(name)),
    kept: [...after].filter((name) => before.has(name)),
    removed: [...before].filter((name) => !after.has(name)),
  }
}
