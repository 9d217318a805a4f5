import { asError, Notifier } from '@ha/core/driver'
import type { Node, Stat } from '../node.ts'

/** A node as a cache has it. */
export interface CachedNode<T> {
  readonly path: string
  readonly value: T
  /** As it was when the data were read: children that come and go do not change it. */
  readonly stat: Stat
}

/** What a cache shows, and what its followers have not been told of yet. */
export class Contents<T> {
  readonly #decode: (node: Node, path: string) => T
  readonly #nodes = new Map<string, CachedNode<T>>()
  readonly #undecodable = new Map<string, Error>()
  readonly #followers = new Set<PendingChanges<T>>()
  #snapshot: ReadonlyMap<string, CachedNode<T>> | undefined
  /** Fires when something has changed. */
  readonly changed: Notifier = new Notifier()

  constructor(decode: (node: Node, path: string) => T) {
    this.#decode = decode
  }

  get(path: string): CachedNode<T> | undefined {
    return this.#nodes.get(path)
  }

  /** All of it as it is now. */
  snapshot(): ReadonlyMap<string, CachedNode<T>> {
    this.#snapshot ??= new Map(this.#nodes)
    return this.#snapshot
  }

  /** By path, what decoding failed with. */
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
    for (const untold of this.#followers) recordChange(untold, path, { before, after })
    this.changed.notifyAll()
  }

  /** One change after the other, the first one with everything as added, until the signal fires. */
  async *follow(signal: AbortSignal): AsyncGenerator<CacheChange<T>, void> {
    const untold: PendingChanges<T> = new Map([...this.#nodes.keys()].map((path) => [path, undefined]))
    this.#followers.add(untold)
    try {
      while (!signal.aborted) {
        const change = changeOf(untold, this.#nodes)
        untold.clear()
        if (change === undefined) await this.changed.wait(signal).catch(() => undefined)
        else yield change
      }
    } finally {
      this.#followers.delete(untold)
    }
  }
}

/** How a cache differs from what was told of it before. */
export interface CacheChange<T> {
  readonly added: readonly CachedNode<T>[]
  /** Also a node that was deleted and made again: its czxid is another one. */
  readonly changed: readonly Replaced<T>[]
  /** As they were. */
  readonly removed: readonly CachedNode<T>[]
}

interface Replaced<T> {
  readonly before: CachedNode<T>
  readonly after: CachedNode<T>
}

/** What one follower has not been told yet: for each path that has changed, what it was told last. */
export type PendingChanges<T> = Map<string, CachedNode<T> | undefined>

/** One more node has changed. What comes and goes before it is told leaves nothing behind, so this never outgrows the cache. */
export function recordChange<T>(
  untold: PendingChanges<T>,
  path: string,
  {
    before,
    after,
  }: { readonly before: CachedNode<T> | undefined; readonly after: CachedNode<T> | undefined },
): void {
  if (!untold.has(path)) untold.set(path, before)
  else if (after === undefined && untold.get(path) === undefined) untold.delete(path)
}

/** All of it as one change; undefined when it comes to nothing. */
export function changeOf<T>(
  untold: PendingChanges<T>,
  current: ReadonlyMap<string, CachedNode<T>>,
): CacheChange<T> | undefined {
  const added: CachedNode<T>[] = []
  const changed: Replaced<T>[] = []
  const removed: CachedNode<T>[] = []
  for (const [path, before] of untold) {
    const after = current.get(path)
    if (before === undefined) {
      if (after !== undefined) added.push(after)
    } else if (after === undefined) removed.push(before)
    else if (!isSame(before, after)) changed.push({ before, after })
  }
  const isNone = added.length + changed.length + removed.length === 0
  return isNone ? undefined : { added, changed, removed }
}

// Nodes are compared, not counted: data that were changed to and fro are a change all the same.
function isSame<T>(before: CachedNode<T>, after: CachedNode<T>): boolean {
  return before.stat.czxid === after.stat.czxid && before.stat.mzxid === after.stat.mzxid
}
