import type { CachedNode } from './cache.ts'

/** How a cache differs from what was told of it before. */
export interface CacheChange<T> {
  readonly added: readonly CachedNode<T>[]
  /** Also a node that was deleted and made again: its czxid is another one. */
  readonly changed: readonly Replaced<T>[]
  /** As they were. */
  readonly removed: readonly CachedNode<T>[]
}

export interface Replaced<T> {
  readonly before: CachedNode<T>
  readonly after: CachedNode<T>
}

/** What one follower has not been told yet: for each path that has changed, what it was told last. */
export type Untold<T> = Map<string, CachedNode<T> | undefined>

/** One more node has changed. What comes and goes before it is told leaves nothing behind, so this never outgrows the cache. */
export function noteChange<T>(
  untold: Untold<T>,
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
  untold: Untold<T>,
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
