import { Emitter } from '@ha/core/driver'
import { FakeClock, seededRandom } from '@ha/core/testing'
import type { Cache } from '../../src/cache/cache.ts'
import type { CacheChange, CachedNode } from '../../src/cache/contents.ts'
import type { CacheDecoder, DiscoveryContext } from '../../src/discovery/discovery-context.ts'
import type { Bytes, Node, Stat } from '../../src/node.ts'
import type { Ephemeral, EphemeralEvents, EphemeralState } from '../../src/recipes/ephemeral.ts'
import type { ReservedPath } from '../../src/recipes/ephemeral-registry.ts'

/** An ephemeral in memory: held while it is desired, with a journal of the writes. */
export class FakeEphemeral implements Ephemeral {
  readonly path: string
  readonly written: { readonly atMs: number; readonly what: 'made' | 'set' | 'deleted' }[] = []
  readonly #events = new Emitter<EphemeralEvents>()
  readonly #clock: FakeClock
  #data: () => Bytes
  state: EphemeralState = { kind: 'pending', reason: undefined }

  constructor(clock: FakeClock, path: string, data: Bytes | (() => Bytes)) {
    this.#clock = clock
    this.path = path
    this.#data = asFunction(data)
    queueMicrotask(() => this.become({ kind: 'held', path, czxid: 1n }, 'made'))
  }

  /** The registered instance; undefined when there is none. */
  get listed(): Record<string, unknown> | undefined {
    return this.state.kind === 'held' ? JSON.parse(String(this.#data())) : undefined
  }

  get on(): Ephemeral['on'] {
    return (name, listener) => this.#events.on(name, listener)
  }

  get once(): Ephemeral['once'] {
    return (name, listener) => this.#events.once(name, listener)
  }

  become(state: EphemeralState, what?: 'made' | 'set' | 'deleted'): void {
    if (what !== undefined) this.written.push({ atMs: this.#clock.now(), what })
    this.state = state
    this.#events.emit('state', state)
  }

  async ready(): Promise<void> {}

  async update(data: Bytes | (() => Bytes)): Promise<void> {
    this.#data = asFunction(data)
    if (this.state.kind === 'held') this.become(this.state, 'set')
  }

  async withdraw(): Promise<void> {
    this.become({ kind: 'withheld' }, 'deleted')
  }

  async restore(): Promise<void> {
    this.become({ kind: 'held', path: this.path, czxid: 2n }, 'made')
  }

  async close(): Promise<void> {
    if (this.state.kind === 'held') this.become({ kind: 'closed' }, 'deleted')
    else this.become({ kind: 'closed' })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

function asFunction(data: Bytes | (() => Bytes)): () => Bytes {
  return typeof data === 'function' ? data : () => data
}

/** A cache in memory that the test fills; it is unread until then. */
export class FakeCache<T> implements Cache<T> {
  readonly path: string
  readonly problems: ReadonlyMap<string, Error> = new Map()
  readonly #decode: NonNullable<CacheDecoder<T>['decode']>
  readonly #listeners = new Set<(change: CacheChange<T>) => void>()
  readonly #staleListeners = new Set<(stale: boolean) => void>()
  #nodes: ReadonlyMap<string, CachedNode<T>> = new Map()
  #stale = true
  ageMs: number | undefined
  closed = false

  constructor(path: string, decode: NonNullable<CacheDecoder<T>['decode']>) {
    this.path = path
    this.#decode = decode
  }

  /** Sets the content of the registry, by the names of the nodes. */
  list(texts: Readonly<Record<string, Bytes>>): void {
    const nodes = Object.entries(texts).map(([name, text], at): [string, CachedNode<T>] => {
      const path = `${this.path}/${name}`
      const stat = { czxid: BigInt(at) } as Stat
      return [path, { path, stat, value: this.#decode({ data: Buffer.from(text), stat } as Node, path) }]
    })
    this.#nodes = new Map(nodes)
    this.ageMs = 0
    this.stale = false
    for (const listener of this.#listeners) listener({ added: [], changed: [], removed: [] })
  }

  get stale(): boolean {
    return this.#stale
  }

  set stale(stale: boolean) {
    if (stale === this.#stale) return
    this.#stale = stale
    for (const listener of this.#staleListeners) listener(stale)
  }

  current(): ReadonlyMap<string, CachedNode<T>> {
    return this.#nodes
  }

  get(path: string): CachedNode<T> | undefined {
    return this.#nodes.get(path)
  }

  onChange(listener: (change: CacheChange<T>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  onStale(listener: (stale: boolean) => void): () => void {
    this.#staleListeners.add(listener)
    return () => this.#staleListeners.delete(listener)
  }

  async ready(): Promise<void> {}

  async *changes(): AsyncGenerator<CacheChange<T>> {}

  close(): void {
    this.closed = true
    this.stale = true
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** A discovery context in virtual time, with the ephemerals and caches that discovery has opened. */
export class FakeContext implements DiscoveryContext {
  readonly clock: FakeClock = new FakeClock()
  readonly random: () => number = seededRandom(7)
  readonly closing: AbortController = new AbortController()
  readonly signal: AbortSignal = this.closing.signal
  readonly operationTimeoutMs = 10_000
  readonly defects: unknown[] = []
  readonly ephemerals: FakeEphemeral[] = []
  readonly caches: FakeCache<unknown>[] = []

  readonly reportDefect = (_where: string, thrown: unknown): void => {
    this.defects.push(thrown)
  }

  reserve(path: string): ReservedPath {
    return {
      path,
      open: (data) => {
        const node = new FakeEphemeral(this.clock, path, data)
        this.ephemerals.push(node)
        return node
      },
      release: () => undefined,
    }
  }

  cache<T>(path: string, { decode }: CacheDecoder<T>): Cache<T> {
    const cache = new FakeCache<T>(path, decode)
    this.caches.push(cache as FakeCache<unknown>)
    return cache
  }

  /** Loses the connection: all caches become stale. */
  disconnect(): void {
    for (const cache of this.caches) cache.stale = true
  }
}
