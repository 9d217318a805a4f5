import { asError, Notifier } from '@ha/core/driver'
import type { Node, Stat } from '../node.ts'

/** A node in a cache. */
export interface CachedNode<T> {
  /** The path of the node. */
  readonly path: string
  /** The decoded data. */
  readonly value: T
  /** As of the read of the data: created and deleted children do not change it. */
  readonly stat: Stat
}

/** The decoded content of a cache, and the pending changes of each follower. */
export class Contents<T> {
  readonly #decode: (node: Node, path: string) => T
  readonly #nodes = new Map<string, CachedNode<T>>()
  readonly #undecodable = new Map<string, Error>()
  readonly #followers = new Set<PendingChanges<T>>()
  #snapshot: ReadonlyMap<string, CachedNode<T>> | undefined
  /** Notifies after each change. */
  readonly changed: Notifier = new Notifier()

  constructor(decode: (node: Node, path: string) => T) {
    this.#decode = decode
  }

  get(path: string): CachedNode<T> | undefined {
    return this.#nodes.get(path)
  }

  /** The current content as an immutable map. */
  snapshot(): ReadonlyMap<string, CachedNode<T>> {
    this.#snapshot ??= new Map(this.#nodes)
    return this.#snapshot
  }

  /** The errors of the decoder, by path. */
  get undecodable(): ReadonlyMap<string, Error> {
    return this.#undecodable
  }

  put(path: string, node: Node): void {
    try {
      const value = this.#decode(node, path)
      this.#undecodable.delete(path)
      this.#replace(path, { path, value, stat: node.stat })
    } catch (thrown) {
      this.#undecodable.set(path, asError(thrown))
      this.#replace(path, undefined)
    }
  }

  remove(path: string): void {
    this.#undecodable.delete(path)
    this.#replace(path, undefined)
  }

  #replace(path: string, after: CachedNode<T> | undefined): void {
    const before = this.#nodes.get(path)
    if (before === undefined && after === undefined) return
    if (after === undefined) this.#nodes.delete(path)
    else this.#nodes.set(path, after)
    this.#snapshot = undefined
    for (const pending of this.#followers) recordChange(pending, path, { before, after })
    this.changed.notifyAll()
  }

  /** Yields each change, the first one with the whole content as added, until the signal fires. */
  async *follow(signal: AbortSignal): AsyncGenerator<CacheChange<T>, void> {
    const pending: PendingChanges<T> = new Map([...this.#nodes.keys()].map((path) => [path, undefined]))
    this.#followers.add(pending)
    try {
      while (!signal.aborted) {
        const change = changeOf(pending, this.#nodes)
        pending.clear()
        if (change === undefined) await this.changed.wait(signal).catch(() => undefined)
        else yield change
      }
    } finally {
      this.#followers.delete(pending)
    }
  }
}

/** The difference between the content of a cache and the content of the previous change. */
export interface CacheChange<T> {
  /** With their values. */
  readonly added: readonly CachedNode<T>[]
  /** Includes nodes that were deleted and created again: their czxid differs. */
  readonly changed: readonly Replaced<T>[]
  /** With their last values. */
  readonly removed: readonly CachedNode<T>[]
}

interface Replaced<T> {
  readonly before: CachedNode<T>
  readonly after: CachedNode<T>
}

/** The changes that one follower has not received yet: for each changed path, the node as the follower knows it. */
export type PendingChanges<T> = Map<string, CachedNode<T> | undefined>

/** Adds one change. A node that is created and deleted in between leaves no entry, so the map never outgrows the cache. */
export function recordChange<T>(
  pending: PendingChanges<T>,
  path: string,
  {
    before,
    after,
  }: { readonly before: CachedNode<T> | undefined; readonly after: CachedNode<T> | undefined },
): void {
  if (!pending.has(path)) pending.set(path, before)
  else if (after === undefined && pending.get(path) === undefined) pending.delete(path)
}

/** The pending changes as one; undefined when the content is the same again. */
export function changeOf<T>(
  pending: PendingChanges<T>,
  current: ReadonlyMap<string, CachedNode<T>>,
): CacheChange<T> | undefined {
  const added: CachedNode<T>[] = []
  const changed: Replaced<T>[] = []
  const removed: CachedNode<T>[] = []
  for (const [path, before] of pending) {
    const after = current.get(path)
    if (before === undefined) {
      if (after !== undefined) added.push(after)
    } else if (after === undefined) removed.push(before)
    else if (!isSame(before, after)) changed.push({ before, after })
  }
  const isNone = added.length + changed.length + removed.length === 0
  return isNone ? undefined : { added, changed, removed }
}

// The transactions are compared, not the data: data that were changed and changed back are a change.
function isSame<T>(before: CachedNode<T>, after: CachedNode<T>): boolean {
  return before.stat.czxid === after.stat.czxid && before.stat.mzxid === after.stat.mzxid
}
