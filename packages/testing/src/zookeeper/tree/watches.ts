import type { EventKind } from '../wire/replies.ts'
import type { SetWatchesRequest } from '../wire/requests.ts'
import type { Change, DataTree, Znode } from './data-tree.ts'
import { parentOf, selfAndAncestors } from './path.ts'

/** The owner of a watch: a connection. */
export interface Watcher {
  notify(kind: EventKind, path: string): void
}

/** The kind of a watch: of a node, whether or not it exists, or of its children. */
export type WatchKind = 'data' | 'children'

/** The mode of a watch: one-time, persistent, or persistent and recursive. */
export type WatchMode = 'once' | 'persistent' | 'recursive'

type Table = Map<string, Map<Watcher, WatchMode>>

/**
 * The watches that the clients of one node have set. As in ZooKeeper up to 3.8, a connection has one watch of a kind on
 * a path: a one-time watch replaces a persistent one.
 */
export class Watches {
  readonly #tables: Readonly<Record<WatchKind, Table>> = { data: new Map(), children: new Map() }

  add(kind: WatchKind, path: string, watcher: Watcher, mode: WatchMode = 'once'): void {
    const table = this.#tables[kind]
    table.set(path, (table.get(path) ?? new Map()).set(watcher, mode))
  }

  /** A persistent watch is of both kinds. */
  addPersistent(path: string, watcher: Watcher, mode: 'persistent' | 'recursive'): void {
    this.add('data', path, watcher, mode)
    this.add('children', path, watcher, mode)
  }

  has(kind: WatchKind, path: string, watcher: Watcher): boolean {
    return this.#tables[kind].get(path)?.has(watcher) ?? false
  }

  /** False when there was none. */
  remove(kind: WatchKind, path: string, watcher: Watcher): boolean {
    const watchers = this.#tables[kind].get(path)
    const isRemoved = watchers?.delete(watcher) ?? false
    if (watchers?.size === 0) this.#tables[kind].delete(path)
    return isRemoved
  }

  /** Removes all watches of a connection. */
  forget(watcher: Watcher): void {
    for (const kind of ['data', 'children'] as const)
      for (const path of [...this.#tables[kind].keys()]) this.remove(kind, path, watcher)
  }

  /** How many watches there are of a kind; a persistent watch counts in both. */
  count(kind: WatchKind): number {
    return [...this.#tables[kind].values()].reduce((sum, watchers) => sum + watchers.size, 0)
  }

  /** Notifies the watchers of a change, each once, however many watches it has. */
  trigger({ kind, path }: Change): void {
    switch (kind) {
      case 'created':
        notify('created', path, this.#take('data', path, 'created'))
        this.#triggerParent(path)
        return
      case 'deleted': {
        const watchers = [...this.#take('data', path, 'deleted'), ...this.#take('children', path, 'deleted')]
        notify('deleted', path, watchers)
        this.#triggerParent(path)
        return
      }
      case 'data':
        notify('changed', path, this.#take('data', path, 'changed'))
        return
      case 'acl':
        return
    }
  }

  /** Restores the watches of an earlier connection, and notifies of changes since then. */
  restore(watcher: Watcher, request: SetWatchesRequest, tree: DataTree): void {
    const since = request.relativeZxid
    const restoreOne = (kind: WatchKind, path: string, missed: EventKind | undefined): void => {
      if (missed === undefined) this.add(kind, path, watcher)
      else watcher.notify(missed, path)
    }
    for (const path of request.data) restoreOne('data', path, missedDataEvent(tree.find(path), since))
    for (const path of request.exists)
      restoreOne('data', path, tree.find(path) === undefined ? undefined : 'created')
    for (const path of request.children)
      restoreOne('children', path, missedChildrenEvent(tree.find(path), since))
    // Persistent watches are not notified of missed changes.
    for (const path of request.persistent) this.addPersistent(path, watcher, 'persistent')
    for (const path of request.recursive) this.addPersistent(path, watcher, 'recursive')
  }

  #triggerParent(path: string): void {
    const parent = parentOf(path)
    notify('children', parent, this.#take('children', parent, 'children'))
  }

  #take(kind: WatchKind, path: string, event: EventKind): readonly Watcher[] {
    const table = this.#tables[kind]
    const own = [...(table.get(path) ?? [])].filter(([, mode]) => mode !== 'recursive')
    for (const [watcher, mode] of own) if (mode === 'once') this.remove(kind, path, watcher)
    // A recursive watch is notified of a child by the child's own event only.
    const above =
      event === 'children' ? [] : selfAndAncestors(path).flatMap((at) => [...(table.get(at) ?? [])])
    const recursive = above.filter(([, mode]) => mode === 'recursive')
    return [...own, ...recursive].map(([watcher]) => watcher)
  }
}

function notify(event: EventKind, path: string, watchers: readonly Watcher[]): void {
  for (const watcher of new Set(watchers)) watcher.notify(event, path)
}

function missedDataEvent(node: Znode | undefined, since: bigint): EventKind | undefined {
  if (node === undefined) return 'deleted'
  return node.mzxid > since ? 'changed' : undefined
}

function missedChildrenEvent(node: Znode | undefined, since: bigint): EventKind | undefined {
  if (node === undefined) return 'deleted'
  return node.pzxid > since ? 'children' : undefined
}
