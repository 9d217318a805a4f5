import { Emitter, isHaError, listenerFailed, Pulse, type Scope, scopeBelow, withDeadline } from '@ha/core'
import type { Ground } from '../ground.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import type { LiveSession } from '../session/live-session.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { Branch } from './branch.ts'
import type { Cache, CachedNode } from './cache.ts'
import { type CacheOptions, type ResolvedCacheOptions, resolveCacheOptions } from './cache-options.ts'
import type { CacheChange } from './change.ts'
import { Contents } from './contents.ts'
import { type Freshness, followed, freshUntilMs } from './freshness.ts'
import { Reads } from './reads.ts'
import { Tally } from './tally.ts'

/** Begins to follow a part of the tree. */
export function openCache(ground: Ground, path: string, options?: CacheOptions<Buffer>): Cache<Buffer>
export function openCache<T>(
  ground: Ground,
  path: string,
  options: CacheOptions<T> & Required<Pick<CacheOptions<T>, 'decode'>>,
): Cache<T>
export function openCache(ground: Ground, path: string, options?: CacheOptions<unknown>): Cache<unknown> {
  checkPath(path)
  return new LiveCache(ground, path, resolveCacheOptions(options))
}

class LiveCache implements Cache<unknown> {
  readonly path: string
  readonly #ground: Ground
  readonly #scope: Scope
  readonly #contents: Contents<unknown>
  readonly #reads: Reads
  readonly #tally: Tally = new Tally(() => this.#step())
  readonly #root: Branch
  /** Fires when the freshness is another one. */
  readonly #stepped = new Pulse()
  readonly #events = new Emitter<{ readonly stale: boolean }>()
  #freshness: Freshness = { kind: 'unread' }
  /** The session in which operations run, while they do. */
  #live: LiveSession | undefined
  // Of the last session in which they ran.
  #epoch = 0

  constructor(ground: Ground, path: string, { decode, depth, maxReads, jitterMs }: ResolvedCacheOptions) {
    const { clock, random, watched } = ground
    this.path = path
    this.#ground = ground
    this.#scope = scopeBelow(ground.signal)
    this.#contents = new Contents(decode)
    const onDefect = (thrown: unknown): void => ground.onDefect(`cache ${path}`, thrown)
    this.#reads = new Reads({ maxReads, signal: this.#scope.signal, onDefect })
    const shared = { clock, random, watched, depth, jitterMs }
    const own = { reads: this.#reads, tally: this.#tally, contents: this.#contents }
    this.#root = new Branch({ ...shared, ...own }, path)
    this.#root.follow()
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    ground.link.start()
    this.#hear().catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) onDefect(thrown)
    })
  }

  current(): ReadonlyMap<string, CachedNode<unknown>> {
    return this.#contents.snapshot()
  }

  get(path: string): CachedNode<unknown> | undefined {
    return this.#contents.get(path)
  }

  get stale(): boolean {
    return this.#freshness.kind !== 'in-step'
  }

  get ageMs(): number | undefined {
    const untilMs = freshUntilMs(this.#freshness)
    return untilMs === undefined ? undefined : Math.max(0, this.#ground.clock.now() - untilMs)
  }

  get problems(): ReadonlyMap<string, Error> {
    const problems = new Map(this.#contents.undecodable)
    for (const [path, { error }] of this.#root.facets()) if (error !== undefined) problems.set(path, error)
    return problems
  }

  async ready(limit: CallOptions = {}): Promise<void> {
    const { timeoutMs = this.#ground.operationTimeoutMs } = limit
    const scope = scopeBelow(this.#scope.signal, limit.signal)
    const expired = (): Error => this.#late(timeoutMs)
    try {
      await withDeadline(this.#ground.clock, { timeoutMs, signal: scope.signal, expired }, (signal) =>
        this.#whenRead(signal),
      )
    } catch (thrown) {
      throw isHaError(thrown) ? thrown : this.#aborted(thrown)
    } finally {
      scope.end()
    }
  }

  async *changes({ signal }: Pick<CallOptions, 'signal'> = {}): AsyncGenerator<CacheChange<unknown>, void> {
    const scope = scopeBelow(this.#scope.signal, signal)
    try {
      await this.#whenRead(scope.signal).catch(() => undefined)
      yield* this.#contents.follow(scope.signal)
    } finally {
      scope.end()
    }
  }

  onChange(listener: (change: CacheChange<unknown>) => void): () => void {
    const scope = scopeBelow(this.#scope.signal)
    const telling = this.#tell(listener, scope.signal)
    telling.catch((thrown: unknown) => this.#ground.onDefect(`cache ${this.path}`, thrown))
    return () => scope.abort(this.#closed())
  }

  onStale(listener: (stale: boolean) => void): () => void {
    return this.#events.on('stale', listener)
  }

  close(): void {
    this.#scope.abort(this.#closed())
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #tell(listener: (change: CacheChange<unknown>) => void, signal: AbortSignal): Promise<void> {
    for await (const change of this.changes({ signal })) {
      try {
        listener(change)
      } catch (thrown) {
        listenerFailed('change', thrown)
      }
    }
  }

  #onEnd(): void {
    this.#step()
    for (const [, facet] of this.#root.facets()) facet.drop()
  }

  async #hear(): Promise<never> {
    for (;;) {
      this.#onSessions()
      await this.#ground.sessions.changed.wait(this.#scope.signal)
    }
  }

  #onSessions(): void {
    const { connected, current } = this.#ground.sessions
    const before = this.#live
    this.#live = connected ? current : undefined
    if (this.#live !== undefined && before !== this.#live) this.#onLive(this.#live)
    this.#reads.open = this.#live !== undefined
    this.#step()
  }

  // On the next connection the watches tell what has changed. In a new session nothing vouches for what was known.
  #onLive({ epoch }: LiveSession): void {
    const isAnother = epoch !== this.#epoch
    this.#epoch = epoch
    if (isAnother) this.#root.forget()
    for (const [, facet] of this.#root.facets()) {
      if (isAnother) facet.refresh()
      else facet.retryNow()
    }
  }

  #step(): void {
    const { unread, failing } = this.#tally
    const nowMs = this.#ground.clock.now()
    const live = this.#scope.signal.aborted ? undefined : this.#live
    const next = followed(this.#freshness, { live, unread, failing, nowMs })
    if (next === this.#freshness) return
    this.#freshness = next
    this.#stepped.fire()
    // Every freshness follows from one that is in step, or is in step itself.
    this.#events.emit('stale', this.stale)
  }

  async #whenRead(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    while (this.#freshness.kind === 'unread') await this.#stepped.wait(signal)
  }

  #late(timeoutMs: number): ZookeeperError {
    const [first] = this.problems
    const cause = first?.[1] ?? this.#ground.link.trouble()
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `cache ${this.path} not read within ${timeoutMs} ms${why}`
    return new ZookeeperError('timed-out', message, { path: this.path, retryable: true, cause })
  }

  #aborted(cause: unknown): ZookeeperError {
    const message = `cache ${this.path}: the wait was ended by its signal`
    return new ZookeeperError('aborted', message, { path: this.path, cause })
  }

  #closed(): ZookeeperError {
    return new ZookeeperError('closed', `cache ${this.path} is closed`, { path: this.path })
  }
}
