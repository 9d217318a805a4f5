import type { Stat } from '../node.ts'
import type { CallOptions } from '../operations/operations.ts'
import type { CacheChange } from './change.ts'

/** A node as a cache has it. */
export interface CachedNode<T> {
  readonly path: string
  readonly value: T
  /** As it was when the data were read: children that come and go do not change it. */
  readonly stat: Stat
}

/**
 * A part of the tree, kept in memory and followed. It serves what it last knew for as long as the servers are away, and
 * equals them again when they are back.
 */
export interface Cache<T> extends Disposable {
  readonly path: string
  /** Everything, by path: as it is at this moment, and never changed afterwards. */
  current(): ReadonlyMap<string, CachedNode<T>>
  /** Undefined when there is no such node, or none that could be decoded. */
  get(path: string): CachedNode<T> | undefined
  /**
   * Whether it may lag behind for longer than a read and the jitter take: not connected, not read again yet, or reads
   * fail. A single node that may not be read is left out instead; the root and each list of children are not.
   */
  readonly stale: boolean
  /** For how long it may have lagged behind, in milliseconds, by the last answer of a server; undefined before it is ready. */
  readonly ageMs: number | undefined
  /** Why nodes are missing or old: by path, what reading failed with, and then what decoding did. */
  readonly problems: ReadonlyMap<string, Error>
  /** Resolves when all of it has been read for the first time. Rejects with `timed-out` and the reason, or `closed`. */
  ready(limit?: CallOptions): Promise<void>
  /**
   * What changes, beginning, once it is ready, with everything as added. Whoever is slow gets one larger change, never
   * a queue. Ends when the cache is closed or the signal fires.
   */
  changes(limit?: Pick<CallOptions, 'signal'>): AsyncIterable<CacheChange<T>>
  /** As {@link changes}, for a listener, until the returned function is called. One that throws hurts only itself. */
  onChange(listener: (change: CacheChange<T>) => void): () => void
  /**
   * Calls the listener with {@link stale} each time it has changed, in that turn, until the returned function is called;
   * also when nothing else has changed. One that throws hurts only itself.
   */
  onStale(listener: (stale: boolean) => void): () => void
  /** Stops following. What it knew can still be read. */
  close(): void
}
