import { asError, Notifier } from '@ha/core/driver'
import type { Node } from '../node.ts'
import type { CachedNode } from './cache.ts'
import { type CacheChange, changeOf, noteChange, type Untold } from './change.ts'

/** What a cache shows, and what its followers have not been told of yet. */
export class Contents<T> {
  readonly #decode: (node: Node, path: string) => T
  readonly #nodes = new Map<string, CachedNode<T>>()
  readonly #undecodable = new Map<string, Error>()
  readonly #followers = new Set<Untold<T>>()
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
    for (const untold of this.#followers) noteChange(untold, path, { before, after })
    this.changed.notifyAll()
  }

  /** One change after the other, the first one with everything as added, until the signal fires. */
  async *follow(signal: AbortSignal): AsyncGenerator<CacheChange<T>, void> {
    const untold: Untold<T> = new Map([...this.#nodes.keys()].map((path) => [path, undefined]))
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
