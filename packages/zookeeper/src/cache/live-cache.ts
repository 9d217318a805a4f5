import { Emitter, type LinkedController, linkedController, listenerFailed, Notifier } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import { resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import type { LiveSession } from '../session/live-session.ts'
import { within } from '../within.ts'
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
  readonly #scope: LinkedController
  readonly #contents: Contents<unknown>
  readonly #reads: Reads
  readonly #tally: Tally = new Tally(() => this.#step())
  readonly #root: Branch
  /** Fires when the freshness is another one. */
  readonly #stepped = new Notifier()
  readonly #events = new Emitter<{ readonly stale: undefined }>()
  #freshness: Freshness = { kind: 'unread' }
  /** The session in which operations run, while they do. */
  #live: LiveSession | undefined
  // Of the last session in which they ran.
  #epoch = 0

  constructor(ground: Ground, path: string, { decode, depth, maxReads, jitterMs }: ResolvedCacheOptions) {
    const { clock, random, watched } = ground
    this.path = path
    this.#ground = ground
    this.#scope = linkedController(ground.signal)
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
    const problems = new Map<string, Error>()
    for (const [path, { error }] of this.#root.facets()) if (error !== undefined) problems.set(path, error)
    for (const [path, error] of this.#contents.undecodable) if (!problems.has(path)) problems.set(path, error)
    return problems
  }

  async ready(limit?: CallOptions): Promise<void> {
    const { clock, operationTimeoutMs } = this.#ground
    const call = resolveCall('ready', limit, operationTimeoutMs)
    const expired = (): Error => this.#late(call.timeoutMs)
    const limits = { what: `cache ${this.path}`, path: this.path, call, expired }
    await within({ clock, signal: this.#scope.signal }, limits, (signal) => this.#whenRead(signal))
  }

  async *changes({ signal }: Pick<CallOptions, 'signal'> = {}): AsyncGenerator<CacheChange<unknown>, void> {
    const scope = linkedController(this.#scope.signal, signal)
    try {
      await this.#whenRead(scope.signal).catch(() => undefined)
      yield* this.#contents.follow(scope.signal)
    } finally {
      scope.unlink()
    }
  }

  onChange(listener: (change: CacheChange<unknown>) => void): () => void {
    const scope = linkedController(this.#scope.signal)
    const telling = this.#tell(listener, scope.signal)
    telling.catch((thrown: unknown) => this.#ground.onDefect(`cache ${this.path}`, thrown))
    return () => scope.abort(undefined)
  }

  onStale(listener: (stale: boolean) => void): () => void {
    // When a listener closes the cache, the next one hears of that first: nobody is told what he knows.
    let told = this.stale
    return this.#events.on('stale', () => {
      if (told === this.stale) return
      told = this.stale
      listener(told)
    })
  }

  close(): void {
    this.#scope.abort(new ZookeeperError('closed', 'it is closed', { path: this.path }))
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
    this.#stepped.notifyAll()
    this.#events.emit('stale', undefined)
  }

  async #whenRead(signal: AbortSignal): Promise<void> {
    while (this.#freshness.kind === 'unread') await this.#stepped.wait(signal)
  }

  #late(timeoutMs: number): ZookeeperError {
    const [first] = this.problems
    const cause = first?.[1] ?? this.#ground.link.trouble()
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `cache ${this.path} not read within ${timeoutMs} ms${why}`
    return new ZookeeperError('timed-out', message, { path: this.path, retryable: true, cause })
  }
}
