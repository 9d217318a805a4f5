import {
  checked,
  count,
  Emitter,
  type LinkedController,
  linkedController,
  listenerFailed,
  milliseconds,
  Notifier,
} from '@ha/core/driver'
import type { ClientContext } from '../context.ts'
import { runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Node } from '../node.ts'
import { resolveCall, resolveOptions } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import type { LiveSession } from '../session/session.ts'
import { type CacheChange, type CachedNode, Contents } from './contents.ts'
import { ReadCounts, ReadQueue } from './node-watcher.ts'
import { type Depth, TreeNode } from './tree-node.ts'

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

export interface CacheOptions<T> {
  /** What is followed: the node itself (0, the default), its children (1), or it and all below it (`tree`). */
  readonly depth?: Depth | undefined
  /** Reads what a node holds; one for which it throws is left out. Default: the bytes as they are. */
  readonly decode?: ((node: Node, path: string) => T) | undefined
  /** How many reads may be under way at once. Default 32. */
  readonly maxReads?: number | undefined
  /**
   * A change is read after a random time up to this, in milliseconds, so that a thousand caches do not ask at once; what
   * changes meanwhile is read only once. Default 0.
   */
  readonly jitterMs?: number | undefined
}

/** {@link CacheOptions}, checked and completed. */
interface ResolvedCacheOptions {
  readonly depth: Depth
  readonly decode: (node: Node, path: string) => unknown
  readonly maxReads: number
  readonly jitterMs: number
}

/** Throws `config-invalid`, which names every problem. */
function resolveCacheOptions(given: CacheOptions<unknown> | undefined): ResolvedCacheOptions {
  return resolveOptions<ResolvedCacheOptions>(
    {
      depth: checked(readDepth, 0),
      decode: checked(readDecode, bytesAsTheyAre),
      maxReads: count({ default: 32, min: 1, max: 1_000 }),
      jitterMs: milliseconds({ default: 0, min: 0, max: 60_000 }),
    },
    given,
    'cache',
  )
}

function bytesAsTheyAre({ data }: Node): Buffer {
  return data
}

const depths: readonly Depth[] = [0, 1, 'tree']

function readDepth(value: unknown, path: string): Depth {
  const depth = depths.find((one) => one === (value ?? 0))
  if (depth === undefined) throw new ZookeeperError('config-invalid', `${path}: expected 0, 1 or 'tree'`)
  return depth
}

function readDecode(value: unknown, path: string): ResolvedCacheOptions['decode'] {
  if (value === undefined) return bytesAsTheyAre
  if (typeof value !== 'function') throw new ZookeeperError('config-invalid', `${path}: expected a function`)
  return (node, at) => value(node, at)
}

/** Begins to follow a part of the tree. */
export function openCache(ground: ClientContext, path: string, options?: CacheOptions<Buffer>): Cache<Buffer>
export function openCache<T>(
  ground: ClientContext,
  path: string,
  options: CacheOptions<T> & Required<Pick<CacheOptions<T>, 'decode'>>,
): Cache<T>
export function openCache(
  ground: ClientContext,
  path: string,
  options?: CacheOptions<unknown>,
): Cache<unknown> {
  checkPath(path)
  return new LiveCache(ground, path, resolveCacheOptions(options))
}

class LiveCache implements Cache<unknown> {
  readonly path: string
  readonly #ground: ClientContext
  readonly #scope: LinkedController
  readonly #contents: Contents<unknown>
  readonly #reads: ReadQueue
  readonly #counts: ReadCounts = new ReadCounts(() => this.#updateFreshness())
  readonly #root: TreeNode
  /** Fires when the freshness is another one. */
  readonly #freshnessChanged = new Notifier()
  readonly #events = new Emitter<{ readonly stale: undefined }>()
  #freshness: Freshness = { kind: 'unread' }
  /** The session in which operations run, while they do. */
  #live: LiveSession | undefined
  // Of the last session in which they ran.
  #epoch = 0

  constructor(
    ground: ClientContext,
    path: string,
    { decode, depth, maxReads, jitterMs }: ResolvedCacheOptions,
  ) {
    const { clock, random, watchedReads } = ground
    this.path = path
    this.#ground = ground
    this.#scope = linkedController(ground.signal)
    this.#contents = new Contents(decode)
    const reportDefect = (thrown: unknown): void => ground.reportDefect(`cache ${path}`, thrown)
    this.#reads = new ReadQueue({ maxReads, signal: this.#scope.signal, reportDefect })
    const shared = { clock, random, watchedReads, depth, jitterMs }
    const own = { reads: this.#reads, counts: this.#counts, contents: this.#contents }
    this.#root = new TreeNode({ ...shared, ...own }, path)
    this.#root.follow()
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    ground.link.start()
    this.#followSessions().catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) reportDefect(thrown)
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
    for (const [path, { error }] of this.#root.watchers()) if (error !== undefined) problems.set(path, error)
    for (const [path, error] of this.#contents.undecodable) if (!problems.has(path)) problems.set(path, error)
    return problems
  }

  async ready(limit?: CallOptions): Promise<void> {
    const { clock, operationTimeoutMs } = this.#ground
    const call = resolveCall('ready', limit, operationTimeoutMs)
    const expired = (): Error => this.#timedOut(call.timeoutMs)
    const limits = { what: `cache ${this.path}`, path: this.path, call, expired }
    await runWithinCall({ clock, signal: this.#scope.signal }, limits, (signal) => this.#untilRead(signal))
  }

  async *changes({ signal }: Pick<CallOptions, 'signal'> = {}): AsyncGenerator<CacheChange<unknown>, void> {
    const scope = linkedController(this.#scope.signal, signal)
    try {
      await this.#untilRead(scope.signal).catch(() => undefined)
      yield* this.#contents.follow(scope.signal)
    } finally {
      scope.unlink()
    }
  }

  onChange(listener: (change: CacheChange<unknown>) => void): () => void {
    const scope = linkedController(this.#scope.signal)
    const telling = this.#deliverChanges(listener, scope.signal)
    telling.catch((thrown: unknown) => this.#ground.reportDefect(`cache ${this.path}`, thrown))
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

  async #deliverChanges(
    listener: (change: CacheChange<unknown>) => void,
    signal: AbortSignal,
  ): Promise<void> {
    for await (const change of this.changes({ signal })) {
      try {
        listener(change)
      } catch (thrown) {
        listenerFailed('change', thrown)
      }
    }
  }

  #onEnd(): void {
    this.#updateFreshness()
    for (const [, facet] of this.#root.watchers()) facet.drop()
  }

  async #followSessions(): Promise<never> {
    for (;;) {
      this.#onSessions()
      await this.#ground.sessions.changed.wait(this.#scope.signal)
    }
  }

  #onSessions(): void {
    const { connected, current } = this.#ground.sessions
    const before = this.#live
    this.#live = connected ? current : undefined
    if (this.#live !== undefined && before !== this.#live) this.#onConnected(this.#live)
    this.#reads.open = this.#live !== undefined
    this.#updateFreshness()
  }

  // On the next connection the watches tell what has changed. In a new session nothing vouches for what was known.
  #onConnected({ epoch }: LiveSession): void {
    const isAnother = epoch !== this.#epoch
    this.#epoch = epoch
    if (isAnother) this.#root.forget()
    for (const [, facet] of this.#root.watchers()) {
      if (isAnother) facet.refresh()
      else facet.retryNow()
    }
  }

  #updateFreshness(): void {
    const { unread, failing } = this.#counts
    const nowMs = this.#ground.clock.now()
    const live = this.#scope.signal.aborted ? undefined : this.#live
    const next = nextFreshness(this.#freshness, { live, unread, failing, nowMs })
    if (next === this.#freshness) return
    this.#freshness = next
    this.#freshnessChanged.notifyAll()
    this.#events.emit('stale', undefined)
  }

  async #untilRead(signal: AbortSignal): Promise<void> {
    while (this.#freshness.kind === 'unread') await this.#freshnessChanged.wait(signal)
  }

  #timedOut(timeoutMs: number): ZookeeperError {
    const [first] = this.problems
    const cause = first?.[1] ?? this.#ground.link.unavailableReason()
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `cache ${this.path} not read within ${timeoutMs} ms${why}`
    return new ZookeeperError('timed-out', message, { path: this.path, retryable: true, cause })
  }
}

/** How far a cache can be trusted. Only {@link nextFreshness} makes the next one. */
export type Freshness =
  /** Not all of it has been read yet. */
  | { readonly kind: 'unread' }
  /** All of it has been read, and what changes in this session is heard of. */
  | { readonly kind: 'in-step'; readonly session: LiveSession; readonly sinceMs: number }
  /** It was in step until then, by the clock, and may lag behind by anything. */
  | { readonly kind: 'behind'; readonly untilMs: number }

/** What a freshness follows from. */
export interface FreshnessFacts {
  /** The session in which operations run at this moment; undefined when none do. */
  readonly live: LiveSession | undefined
  /** How many reads are due or under way. */
  readonly unread: number
  /** How many reads have failed and will be tried again. */
  readonly failing: number
  readonly nowMs: number
}

/** The freshness that follows; the same object when it is the same. */
export function nextFreshness(
  before: Freshness,
  { live, unread, failing, nowMs }: FreshnessFacts,
): Freshness {
  const isHeard = live !== undefined && failing === 0
  if (before.kind === 'in-step') {
    return isHeard && live === before.session ? before : { kind: 'behind', untilMs: inStepUntilMs(before) }
  }
  return isHeard && unread === 0 ? { kind: 'in-step', session: live, sinceMs: nowMs } : before
}

/** Until when it was certainly in step, by the clock; undefined when it never was. */
export function freshUntilMs(freshness: Freshness): number | undefined {
  switch (freshness.kind) {
    case 'unread':
      return undefined
    case 'in-step':
      return inStepUntilMs(freshness)
    case 'behind':
      return freshness.untilMs
  }
}

// A server that has answered had told before of everything that had changed when it was asked.
function inStepUntilMs({ session, sinceMs }: Freshness & { readonly kind: 'in-step' }): number {
  return Math.max(sinceMs, session.confirmedAtMs)
}
