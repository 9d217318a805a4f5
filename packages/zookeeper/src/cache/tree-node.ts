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

/** One node of a cache and what is followed of it, with the branches below it. */
export class TreeNode {
  readonly #deps: TreeNodeDeps
  readonly #path: string
  readonly #level: number
  readonly #watchers: readonly NodeWatcher<unknown>[]
  readonly #children = new Map<string, TreeNode>()
  /** What is known of the node as such. */
  #node: Stat | undefined
  /** What is known of it as a list of children. */
  #list: Stat | undefined

  /** `level` says how far it is below the root of the cache. */
  constructor(ground: TreeNodeDeps, path: string, level = 0) {
    this.#deps = ground
    this.#path = path
    this.#level = level
    this.#watchers = watchKindsAt(ground.depth, level).map((kind) => this.#watcher(kind))
  }

  /** The node is there, as far as others know. */
  follow(): void {
    for (const facet of this.#watchers) facet.follow()
  }

  /** Everything that is followed here and below, with the path of its node. */
  *watchers(): Iterable<readonly [path: string, facet: NodeWatcher<unknown>]> {
    for (const facet of this.#watchers) yield [this.#path, facet]
    for (const kid of this.#children.values()) yield* kid.watchers()
  }

  /** The next answer counts, whatever is known: transactions of one session say nothing of those of another ensemble. */
  forget(): void {
    this.#node = undefined
    this.#list = undefined
    for (const kid of this.#children.values()) kid.forget()
  }

  /** It is not there any more, nor is anything below it. */
  drop(): void {
    for (const facet of this.#watchers) facet.drop()
    this.#foldNode(undefined)
    this.#foldChildren(undefined)
  }

  #watcher(kind: WatchKind): NodeWatcher<unknown> {
    const { watchedReads } = this.#deps
    const isRoot = this.#level === 0
    switch (kind) {
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
    // One that was gone may be back.
    for (const name of [...added, ...kept]) this.#children.get(name)?.follow()
  }

  #dropChild(name: string): void {
    this.#children.get(name)?.drop()
    this.#children.delete(name)
  }
}

/** The node itself, its children, or everything at and below it. */
export type Depth = 0 | 1 | 'tree'

/** What is read and watched of one node: what it holds, or which children it has. */
type WatchKind = 'data' | 'children'

/** What has to be followed at a node that is `level` steps below the root of a cache. */
export function watchKindsAt(depth: Depth, level: number): readonly WatchKind[] {
  if (depth === 'tree') return ['data', 'children']
  if (level < depth) return ['children']
  return level === depth ? ['data'] : []
}

/**
 * True of an answer that is older than what is known already, such as one from a server that lags behind: the node was
 * made, and then changed, by transactions whose numbers only grow. `by` names the one that matters to what was read.
 */
export function isOlder(read: Stat, known: Stat | undefined, by: 'mzxid' | 'pzxid'): boolean {
  if (known === undefined) return false
  return read.czxid === known.czxid ? read[by] < known[by] : read.czxid < known.czxid
}

/** How a list of children differs from those that are known. */
interface ListChange {
  readonly added: readonly string[]
  readonly kept: readonly string[]
  readonly removed: readonly string[]
}

export function listChange(known: Iterable<string>, names: readonly string[]): ListChange {
  const before = new Set(known)
  const after = new Set(names)
  return {
    added: [...after].filter((name) => !before.has(name)),
    kept: [...after].filter((name) => before.has(name)),
    removed: [...before].filter((name) => !after.has(name)),
  }
}
