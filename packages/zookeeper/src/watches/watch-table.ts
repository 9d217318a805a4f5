import type { WatchEvent } from '../node.ts'

/** What is watched at a node: its data, its existence, or its children. */
export type WatchKind = 'data' | 'exists' | 'children'

/** The watched nodes, for restoring the watches on a new connection. Paths are the servers'. */
export type WatchedPaths = Readonly<Record<WatchKind | 'recursive', Iterable<string>>>

/** Called with an event of a watched node. */
export type WatchListener = (event: WatchEvent) => void

// The watches that an event removes, as in the servers.
const endedKinds: Readonly<Record<WatchEvent['kind'], readonly WatchKind[]>> = {
  created: ['data', 'exists'],
  deleted: ['data', 'exists', 'children'],
  changed: ['data', 'exists'],
  children: ['children'],
}

/**
 * The listeners of each node. A watch is delivered once and then removed; the server has one watch of each kind for a
 * node, however many listeners there are. The table outlives connections and sessions.
 */
export class WatchTable {
  readonly #once: Readonly<Record<WatchKind, Map<string, Set<WatchListener>>>> = {
    data: new Map(),
    exists: new Map(),
    children: new Map(),
  }
  readonly #recursive = new Map<string, Set<WatchListener>>()

  /** The number of watched nodes, counted for each kind of watch. */
  get size(): number {
    const { data, exists, children } = this.#once
    return data.size + exists.size + children.size + this.#recursive.size
  }

  /** Live iterators: a change during the iteration is included. */
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

  /**
   * The type of watch that can be removed from the servers at a node, in the protocol's terms; undefined while there
   * are listeners.
   */
  removableType(kind: WatchKind | 'recursive', path: string): 'data' | 'children' | 'any' | undefined {
    const { data, exists, children } = this.#once
    const hasData = data.has(path) || exists.has(path)
    const hasChildren = children.has(path)
    const hasAll = this.#recursive.has(path)
    // Including a recursive watch, which had to stay while it also served other listeners.
    if (!hasData && !hasChildren && !hasAll) return 'any'
    if (kind === 'recursive' || hasAll) return undefined
    if (kind === 'children') return hasChildren ? undefined : 'children'
    return hasData ? undefined : 'data'
  }

  /**
   * Moves a listener to the kind that the servers keep the watch under. Does nothing when the event has been delivered
   * meanwhile.
   */
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

  /** The listeners of an event; one-time listeners are removed. */
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
