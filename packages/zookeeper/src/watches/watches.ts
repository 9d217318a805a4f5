import type { Declaration, Link } from '@ha/core'
import { leaseOf } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import { ReplyError } from '../driver/reply-error.ts'
import { addWatch, removeWatches, setWatches } from '../driver/watch-requests.ts'
import type { WatchEvent } from '../node.ts'
import type { Chroot } from '../operations/paths.ts'
import { batches } from './batches.ts'
import { type WatchKind, type WatchListener, WatchTable } from './watch-table.ts'

export interface WatchesParts {
  readonly chroot: Chroot
  /** The highest transaction that any answer has told of: what has changed since is told when watches are set again. */
  readonly lastZxid: () => bigint
  /** Called with what a listener threw. */
  readonly onDefect: (where: string, thrown: unknown) => void
}

/** One listener that has been added. */
export interface Watch {
  /** The node exists: the servers watch it for its changes. */
  found(): void
  /** Stops listening. Idempotent. */
  end(): void
}

/** What needs the watches to be set before it is done itself. */
export const watchesKey = 'watches'

// One request for each 128 KiB of paths: an ensemble that is busy electing may keep them waiting.
const timeoutMs = 10_000

/** The watches of a client: set on each connection before anything else is asked there. */
export class Watches implements Declaration<ZookeeperConnection> {
  readonly key: string = watchesKey
  readonly needs: readonly string[] = []
  readonly gates = true
  readonly survives = false
  readonly timeoutMs: number = timeoutMs
  readonly #parts: WatchesParts
  readonly #table = new WatchTable()
  #link: Link<ZookeeperConnection> | undefined
  // Since when changes have to be told, until all watches are set on one connection.
  #since: bigint | undefined

  constructor(parts: WatchesParts) {
    this.#parts = parts
  }

  /** How many nodes are watched, each kind counted for itself. */
  get size(): number {
    return this.#table.size
  }

  follow(link: Link<ZookeeperConnection>): void {
    this.#link = link
  }

  /** A connection begins: what has changed since the one before is told when the watches are set. */
  begin(): void {
    const lastZxid = this.#parts.lastZxid()
    if (this.#since === undefined || lastZxid < this.#since) this.#since = lastZxid
  }

  /** What a server told. A listener that throws hurts only itself. */
  hear(event: WatchEvent): void {
    const below = { kind: event.kind, path: this.#parts.chroot.below(event.path) }
    for (const listener of this.#table.take(event)) {
      try {
        listener(below)
      } catch (thrown) {
        this.#parts.onDefect('a watch’s listener', thrown)
      }
    }
  }

  /** Listens, once, from before the read that makes a server watch until it is told. */
  add(kind: WatchKind, path: string, listener: WatchListener): Watch {
    const above = this.#parts.chroot.above(path)
    let kept = kind
    let isOver = false
    const own: WatchListener = (event) => {
      isOver = true
      listener(event)
    }
    this.#table.add(kind, above, own)
    return {
      found: () => {
        if (kept !== 'exists') return
        kept = 'data'
        this.#table.move(above, own, 'exists', 'data')
      },
      end: () => {
        // What was told is gone on the server as well.
        if (isOver) return
        isOver = true
        this.#table.remove(kept, above, own)
        this.#drop(above, kept)
      },
    }
  }

  /** Listens to everything at and below a node, until the returned function is called. */
  async addRecursive(
    path: string,
    listener: WatchListener,
    connection: ZookeeperConnection,
  ): Promise<() => void> {
    const above = this.#parts.chroot.above(path)
    const own: WatchListener = (event) => listener(event)
    const end = (): void => {
      this.#table.removeRecursive(above, own)
      this.#drop(above, 'recursive')
    }
    this.#table.addRecursive(above, own)
    try {
      await connection.send(addWatch(above, 'recursive'))
    } catch (error) {
      end()
      throw error
    }
    return end
  }

  async apply(connection: ZookeeperConnection, signal: AbortSignal): Promise<void> {
    const relativeZxid = this.#since ?? this.#parts.lastZxid()
    try {
      // One after the other: all at once may be more than the connection has room for, on each that follows.
      for (const batch of batches(this.#table.paths())) {
        signal.throwIfAborted()
        await connection.send(setWatches({ relativeZxid, ...batch, persistent: [] }))
      }
    } catch (error) {
      // Without them nobody would be told of anything: another server, or another try.
      if (error instanceof ReplyError) connection.destroy(error)
      throw error
    }
    this.#since = undefined
  }

  // A watch that is left on a server is told once and heard by nobody: nothing is lost when this fails.
  #drop(path: string, kind: WatchKind | 'recursive'): void {
    const type = this.#table.unneeded(kind, path)
    if (type === undefined) return
    const lease = this.#link === undefined ? undefined : leaseOf(this.#link.state)
    lease?.connection.send(removeWatches(path, type)).catch(() => undefined)
  }
}
