import type { Children, Node, Stat } from '../node.ts'
import type { WatchedReads } from '../operations/operations.ts'
import { childOf } from '../operations/paths.ts'
import type { Contents } from './contents.ts'
import { type Depth, type FacetKind, facetsAt } from './depth.ts'
import { Facet, type FacetGround } from './facet.ts'
import { isOlder, listChange } from './judge.ts'

export interface BranchGround extends FacetGround {
  readonly depth: Depth
  readonly watched: WatchedReads
  readonly contents: Pick<Contents<unknown>, 'put' | 'remove'>
}

/** One node of a cache and what is followed of it, with the branches below it. */
export class Branch {
  readonly #ground: BranchGround
  readonly #path: string
  readonly #level: number
  readonly #facets: readonly Facet<unknown>[]
  readonly #kids = new Map<string, Branch>()
  /** What is known of the node as such. */
  #node: Stat | undefined
  /** What is known of it as a list of children. */
  #list: Stat | undefined

  /** `level` says how far it is below the root of the cache. */
  constructor(ground: BranchGround, path: string, level = 0) {
    this.#ground = ground
    this.#path = path
    this.#level = level
    this.#facets = facetsAt(ground.depth, level).map((kind) => this.#facet(kind))
  }

  /** The node is there, as far as others know. */
  follow(): void {
    for (const facet of this.#facets) facet.follow()
  }

  /** Everything that is followed here and below, with the path of its node. */
  *facets(): Iterable<readonly [path: string, facet: Facet<unknown>]> {
    for (const facet of this.#facets) yield [this.#path, facet]
    for (const kid of this.#kids.values()) yield* kid.facets()
  }

  /** The next answer counts, whatever is known: transactions of one session say nothing of those of another ensemble. */
  forget(): void {
    this.#node = undefined
    this.#list = undefined
    for (const kid of this.#kids.values()) kid.forget()
  }

  /** It is not there any more, nor is anything below it. */
  drop(): void {
    for (const facet of this.#facets) facet.drop()
    this.#foldNode(undefined)
    this.#foldChildren(undefined)
  }

  #facet(kind: FacetKind): Facet<unknown> {
    const { watched } = this.#ground
    const isRoot = this.#level === 0
    switch (kind) {
      case 'data':
        return new Facet(this.#ground, {
          isRoot,
          isLeaf: !isRoot,
          read: (onEvent, signal) => watched.get(this.#path, onEvent, { signal }),
          fold: (node: Node | undefined) => this.#foldNode(node),
        })
      case 'children':
        return new Facet(this.#ground, {
          isRoot,
          isLeaf: false,
          read: (onEvent, signal) => watched.children(this.#path, onEvent, { signal }),
          fold: (children: Children | undefined) => this.#foldChildren(children),
        })
    }
  }

  #foldNode(node: Node | undefined): void {
    const { contents } = this.#ground
    if (node !== undefined && isOlder(node.stat, this.#node, 'mzxid')) return
    this.#node = node?.stat
    if (node === undefined) contents.remove(this.#path)
    else contents.put(this.#path, node)
  }

  #foldChildren(children: Children | undefined): void {
    if (children !== undefined && isOlder(children.stat, this.#list, 'pzxid')) return
    this.#list = children?.stat
    const { added, kept, removed } = listChange(this.#kids.keys(), children?.names ?? [])
    for (const name of removed) this.#dropKid(name)
    for (const name of added) {
      this.#kids.set(name, new Branch(this.#ground, childOf(this.#path, name), this.#level + 1))
    }
    // One that was gone may be back.
    for (const name of [...added, ...kept]) this.#kids.get(name)?.follow()
  }

  #dropKid(name: string): void {
    this.#kids.get(name)?.drop()
    this.#kids.delete(name)
  }
}
