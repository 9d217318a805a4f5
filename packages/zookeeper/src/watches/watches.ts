import type { Declaration, Link } from '@ha/core'
import { leaseOf } from '@ha/core/driver'
import type { Chroot } from '../chroot.ts'
import type { ZookeeperConnection } from '../connection/connection.ts'
import type { WatchEvent } from '../node.ts'
import { ReplyError } from '../protocol/error-codes.ts'
import { addWatch, removeWatches, setWatches } from '../protocol/requests.ts'
import { type WatchedPaths, type WatchKind, type WatchListener, WatchTable } from './watch-table.ts'

interface WatchesDeps {
  readonly chroot: Chroot
  /** The highest zxid of all replies: when watches are restored, servers report what has changed since. */
  readonly lastZxid: () => bigint
  /** Called with the error of a listener. */
  readonly reportDefect: (where: string, thrown: unknown) => void
}

/** A listener that has been added. */
interface Watch {
  /** The node exists: the servers watch it for changes. */
  nodeFound(): void
  /** Stops listening. Idempotent. */
  end(): void
}

/** The key of the declaration, for declarations that need the watches. */
export const watchesKey = 'watches'

// One request for each 128 KiB of paths: an ensemble that is electing a leader may delay them.
const timeoutMs = 10_000

/** The watches of a client, restored on each connection before any other request. */
export class Watches implements Declaration<ZookeeperConnection> {
  readonly key: string = watchesKey
  readonly needs: readonly string[] = []
  readonly gates = true
  readonly survives = false
  readonly timeoutMs: number = timeoutMs
  readonly #deps: WatchesDeps
  readonly #table = new WatchTable()
  #link: Link<ZookeeperConnection> | undefined
  // The zxid from which changes have to be reported, until all watches are set on one connection.
  #since: bigint | undefined
  /** The most bytes of paths in one request. */
  #batchBytes: number = maxBatchBytes

  constructor(deps: WatchesDeps) {
    this.#deps = deps
  }

  /** The number of watched nodes, counted for each kind of watch. */
  get size(): number {
    return this.#table.size
  }

  attach(link: Link<ZookeeperConnection>): void {
    this.#link = link
  }

  /** A connection begins: changes since the previous one are reported when the watches are set. */
  connectionStarted(): void {
    const lastZxid = this.#deps.lastZxid()
    if (this.#since === undefined || lastZxid < this.#since) this.#since = lastZxid
  }

  /** Delivers an event of a server. The error of one listener does not affect the others. */
  dispatch(event: WatchEvent): void {
    const below = { kind: event.kind, path: this.#deps.chroot.toClient(event.path) }
    for (const listener of this.#table.take(event)) {
      try {
        listener(below)
      } catch (thrown) {
        this.#deps.reportDefect('a watch’s listener', thrown)
      }
    }
  }

  /** Adds a one-time listener, before the read that sets the watch on the server. */
  add(kind: WatchKind, path: string, listener: WatchListener): Watch {
    const above = this.#deps.chroot.toServer(path)
    let kept = kind
    let isOver = false
    const own: WatchListener = (event) => {
      isOver = true
      listener(event)
    }
    this.#table.add(kind, above, own)
    return {
      nodeFound: () => {
        if (kept !== 'exists') return
        kept = 'data'
        this.#table.move(above, own, 'exists', 'data')
      },
      end: () => {
        // The server has removed the watch as well.
        if (isOver) return
        isOver = true
        this.#table.remove(kept, above, own)
        this.#removeFromServer(above, kept)
      },
    }
  }

  /** Adds a listener for everything at and below a node, until the returned function is called. */
  async addRecursive(
    path: string,
    listener: WatchListener,
    connection: ZookeeperConnection,
  ): Promise<() => void> {
    const above = this.#deps.chroot.toServer(path)
    const own: WatchListener = (event) => listener(event)
    const end = (): void => {
      this.#table.removeRecursive(above, own)
      this.#removeFromServer(above, 'recursive')
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
    const relativeZxid = this.#since ?? this.#deps.lastZxid()
    try {
      // One after the other: all at once may exceed the limits of the connection, on every connection that follows.
      for (const batch of watchBatches(this.#table.paths(), this.#batchBytes)) {
        signal.throwIfAborted()
        await connection.send(setWatches({ relativeZxid, ...batch, persistent: [] }))
      }
    } catch (error) {
      // Without its watches the client would miss events: the link tries again, at another server.
      if (error instanceof ReplyError) connection.destroy(error)
      // The server may have a smaller `jute.maxbuffer`.
      else if (connection.endError?.code === 'lost') this.#batchBytes = leastBatchBytes
      throw error
    }
    this.#since = undefined
  }

  // A watch that is left on a server is delivered once and ignored: a failure does no harm.
  #removeFromServer(path: string, kind: WatchKind | 'recursive'): void {
    const type = this.#table.removableType(kind, path)
    if (type === undefined) return
    const lease = this.#link === undefined ? undefined : leaseOf(this.#link.state)
    lease?.connection.send(removeWatches(path, type)).catch(() => undefined)
  }
}

// As in the Java client: a request that exceeds the servers’ `jute.maxbuffer` would end each new connection.
const maxBatchBytes = 128 * 1024

// After a connection was lost on the way: no server is configured for less.
const leastBatchBytes = 16 * 1024

// An entry of a vector is the text and four bytes of length.
const entryBytes = 4

/** The watches that one request sets. */
type WatchBatch = Readonly<Record<keyof WatchedPaths, readonly string[]>>

/**
 * Divides the watches into requests of at most `maxBytes` each. A watch that is removed before its turn is left out.
 */
export function* watchBatches(
  paths: WatchedPaths,
  maxBytes: number = maxBatchBytes,
): Generator<WatchBatch, void> {
  let batch = emptyBatch()
  let bytes = 0
  for (const kind of watchKinds) {
    for (const path of paths[kind]) {
      const size = entryBytes + Buffer.byteLength(path)
      if (bytes > 0 && bytes + size > maxBytes) {
        yield batch
        batch = emptyBatch()
        bytes = 0
      }
      batch[kind].push(path)
      bytes += size
    }
  }
  if (bytes > 0) yield batch
}

const watchKinds = ['data', 'exists', 'children', 'recursive'] as const

function emptyBatch(): Record<keyof WatchedPaths, string[]> {
  return { data: [], exists: [], children: [], recursive: [] }
}
