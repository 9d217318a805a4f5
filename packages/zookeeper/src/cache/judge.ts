import type { Stat, WatchEvent } from '../node.ts'

/**
 * True of an answer that is older than what is known already, such as one from a server that lags behind: the node was
 * made, and then changed, by transactions whose numbers only grow. `by` names the one that matters to what was read.
 */
export function isOlder(read: Stat, known: Stat | undefined, by: 'mzxid' | 'pzxid'): boolean {
  if (known === undefined) return false
  return read.czxid === known.czxid ? read[by] < known[by] : read.czxid < known.czxid
}

/** What follows from an event: read again, or take it as gone, which for all but the root its parent's list decides. */
export function followsFrom(event: WatchEvent, isRoot: boolean): 'read' | 'gone' {
  return event.kind === 'deleted' && !isRoot ? 'gone' : 'read'
}

/** How a list of children differs from those that are known. */
export interface ListChange {
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
