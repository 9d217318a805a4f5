import { parentOf } from './path.ts'
import type { Change, Tree } from './tree.ts'
import type { Znode } from './znode.ts'

/** When a transaction happens. */
export interface Stamp {
  readonly zxid: bigint
  readonly timeMs: number
}

/** A tree as it would be: what a transaction has changed so far, before it is agreed upon. */
export class Draft {
  readonly stamp: Stamp
  readonly #tree: Tree
  readonly #touched = new Map<string, Znode | undefined>()
  readonly #changes: Change[] = []

  constructor(tree: Tree, stamp: Stamp) {
    this.#tree = tree
    this.stamp = stamp
  }

  get changes(): readonly Change[] {
    return this.#changes
  }

  find(path: string): Znode | undefined {
    return this.#touched.has(path) ? this.#touched.get(path) : this.#tree.find(path)
  }

  create(path: string, node: Znode, parent: Znode): void {
    const after = {
      ...parent,
      born: parent.born + 1,
      childCount: parent.childCount + 1,
      pzxid: this.stamp.zxid,
    }
    this.#note({ kind: 'created', path, node, parent: after })
  }

  remove(path: string, node: Znode, parent: Znode): void {
    const after = { ...parent, childCount: parent.childCount - 1, pzxid: this.stamp.zxid }
    this.#note({ kind: 'deleted', path, node, parent: after })
  }

  change(kind: 'data' | 'acl', path: string, node: Znode): void {
    this.#note({ kind, path, node, parent: undefined })
  }

  #note(change: Change): void {
    const { kind, path, node, parent } = change
    if (parent !== undefined) this.#touched.set(parentOf(path), parent)
    this.#touched.set(path, kind === 'deleted' ? undefined : node)
    this.#changes.push(change)
  }
}
