import type { WatchEvent } from '../node.ts'

/** What is watched at a node: its data, whether it exists, or its children. */
export type WatchKind = 'data' | 'exists' | 'children'

/** Which nodes are watched, for telling a server on a new connection. Paths are the servers'. */
export type WatchedPaths = Readonly<Record<WatchKind | 'recursive', Iterable<string>>>

export type WatchListener = (event: WatchEvent) => void

// Which watches an event ends, as the servers do it.
const endedKinds: Readonly<Record<WatchEvent['kind'], readonly WatchKind[]>> = {
  created: ['data', 'exists'],
  deleted: ['data', 'exists', 'children'],
  changed: ['data', 'exists'],
  children: ['children'],
}

/**
 * Who is told of what. A watch is told once and is gone; however many listen to one node, the server keeps one watch
 * of each kind for it. It outlives connections and sessions.
 */
export class WatchTable {
  readonly #once: Readonly<Record<WatchKind, Map<string, Set<WatchListener>>>> = {
    data: new Map(),
    exists: new Map(),
    children: new Map(),
  }
  readonly #recursive = new Map<string, Set<WatchListener>>()

  /** How many nodes are watched, each kind counted for itself. */
  get size(): number {
    const { data, exists, children } = this.#once
    return data.size + exists.size + children.size + this.#recursive.size
  }

  /** As they are when each is read: what changes meanwhile is in it. */
  paths(): WatchedPaths {
    const { data, exists, children } = this.#once
    return {
      data: data.keys(),
      exists: exists.keys(),
      children: children.keys(),
      recursive: this.#recursive.keys(),
    }
  }

  add(kind: WatchKind, path: string, listener: WatchListener): void {
    addTo(this.#once[kind], path, listener)
  }

  remove(kind: WatchKind, path: string, listener: WatchListener): void {
    removeFrom(this.#once[kind], path, listener)
  }

  /** What the servers need not watch any more at a node, in their words; undefined while somebody listens. */
  removableType(kind: WatchKind | 'recursive', path: string): 'data' | 'children' | 'any' | undefined {
    const { data, exists, children } = this.#once
    const hasData = data.has(path) || exists.has(path)
    const hasChildren = children.has(path)
    const hasAll = this.#recursive.has(path)
    // Also a recursive one, which had to stay there as long as it was the watch of others as well.
    if (!hasData && !hasChildren && !hasAll) return 'any'
    if (kind === 'recursive' || hasAll) return undefined
    if (kind === 'children') return hasChildren ? undefined : 'children'
    return hasData ? undefined : 'data'
  }

  /** What was asked for under one kind is kept by the servers under another; nothing happens when it was told meanwhile. */
  move(path: string, listener: WatchListener, from: WatchKind, to: WatchKind): void {
    const all = this.#once[from].get(path)
    if (all?.delete(listener) !== true) return
    if (all.size === 0) this.#once[from].delete(path)
    this.add(to, path, listener)
  }

  addRecursive(path: string, listener: WatchListener): void {
    addTo(this.#recursive, path, listener)
  }

  removeRecursive(path: string, listener: WatchListener): void {
    removeFrom(this.#recursive, path, listener)
  }

  /** Whom an event concerns; those who are told once are taken out. */
  take(event: WatchEvent): readonly WatchListener[] {
    const listeners: WatchListener[] = []
    for (const kind of endedKinds[event.kind]) {
      const all = this.#once[kind].get(event.path)
      if (all === undefined) continue
      this.#once[kind].delete(event.path)
      listeners.push(...all)
    }
    for (const [path, all] of this.#recursive) if (isBelow(event.path, path)) listeners.push(...all)
    return listeners
  }
}

function addTo(map: Map<string, Set<WatchListener>>, path: string, listener: WatchListener): void {
  const all = map.get(path)
  if (all === undefined) map.set(path, new Set([listener]))
  else all.add(listener)
}

function removeFrom(map: Map<string, Set<WatchListener>>, path: string, listener: WatchListener): void {
  const all = map.get(path)
  if (all?.delete(listener) === true && all.size === 0) map.delete(path)
}

function isBelow(path: string, root: string): boolean {
  return path === root || root === '/' || path.startsWith(`${root}/`)
}
