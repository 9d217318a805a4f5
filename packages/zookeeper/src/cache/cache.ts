import { AsyncResource } from 'node:async_hooks'
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
import { type ClientContext, runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Node } from '../node.ts'
import { checkFunction, resolveCall, resolveOptions, resolveSignal } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import type { LiveSession } from '../session/session.ts'
import { type CacheChange, type CachedNode, Contents } from './contents.ts'
import { ReadCounts, ReadQueue } from './node-watcher.ts'
import { type Depth, TreeNode } from './tree-node.ts'

/**
 * A part of the tree, kept in memory and kept current by watches. While the servers are unavailable it serves the last
 * known content; when they are back, it equals the tree again.
 */
export interface Cache<T> extends Disposable {
  /** The root of the cache. */
  readonly path: string
  /** The current content by path, as an immutable snapshot. */
  current(): ReadonlyMap<string, CachedNode<T>>
  /** Undefined when the node does not exist or could not be decoded. */
  get(path: string): CachedNode<T> | undefined
  /**
   * Whether the content may be older than a read and the jitter take: the client is not connected, has not read all of
   * it yet, or reads fail. A single node that may not be read is left out instead, unless it is the root or a list of
   * children.
   */
  readonly stale: boolean
  /** The possible age of the content in milliseconds, by the last answer of a server; undefined before it is ready. */
  readonly ageMs: number | undefined
  /** Why nodes are missing or old, by path: the error of the read, or else the error of the decoder. */
  readonly problems: ReadonlyMap<string, Error>
  /** Resolves when everything has been read once. Rejects with `timed-out` and the reason, or with `closed`. */
  ready(limit?: CallOptions): Promise<void>
  /**
   * Yields each change. It starts when the cache is ready, with the whole content as added. A slow reader gets one larger
   * change instead of a queue. Ends when the cache is closed or the signal fires.
   */
  changes(limit?: Pick<CallOptions, 'signal'>): AsyncIterable<CacheChange<T>>
  /** Calls the listener with each of the {@link changes} until the returned function is called. Its errors are isolated. */
  onChange(listener: (change: CacheChange<T>) => void): () => void
  /**
   * Calls the listener with {@link stale} after each change of it, in the same turn and also when the content is
   * unchanged, until the returned function is called. Its errors are isolated.
   */
  onStale(listener: (stale: boolean) => void): () => void
  /** Stops following. The last content can still be read. */
  close(): void
}

/** What a cache contains, and how it reads. */
export interface CacheOptions<T> {
  /** What the cache contains: the node (0, the default), its children (1), or the node and everything below (`tree`). */
  readonly depth?: Depth | undefined
  /** Decodes a node. A node for which it throws is left out. Default: the bytes. */
  readonly decode?: ((node: Node, path: string) => T) | undefined
  /** The maximum number of concurrent reads. Default 32. */
  readonly maxReads?: number | undefined
  /**
   * The maximum random delay between a change and the read, in milliseconds, so that a thousand caches do not read at
   * once. Further changes during the delay cause no further read. Default 0.
   */
  readonly jitterMs?: number | undefined
}

/** Starts to follow a part of the tree. */
export function openCache(context: ClientContext, path: string, options?: CacheOptions<Buffer>): Cache<Buffer>
export function openCache<T>(
  context: ClientContext,
  path: string,
  options: CacheOptions<T> & Required<Pick<CacheOptions<T>, 'decode'>>,
): Cache<T>
export function openCache(
  context: ClientContext,
  path: string,
  options?: CacheOptions<unknown>,
): Cache<unknown> {
  checkPath(path)
  return new LiveCache(context, path, resolveCacheOptions(options))
}

class LiveCache implements Cache<unknown> {
  readonly path: string
  readonly #context: ClientContext
  readonly #scope: LinkedController
  readonly #contents: Contents<unknown>
  readonly #reads: ReadQueue
  readonly #counts: ReadCounts = new ReadCounts(() => this.#updateFreshness())
  readonly #root: TreeNode
  readonly #freshnessChanged = new Notifier()
  readonly #events = new Emitter<{ readonly stale: undefined }>()
  #freshness: Freshness = { kind: 'unread' }
  /** The current session while the client is connected. */
  #connectedSession: LiveSession | undefined
  // The epoch of the last session with a connection.
  #epoch = 0

  constructor(
    context: ClientContext,
    path: string,
    { decode, depth, maxReads, jitterMs }: ResolvedCacheOptions,
  ) {
    const { clock, random, watchedReads } = context
    this.path = path
    this.#context = context
    this.#scope = linkedController(context.signal)
    this.#contents = new Contents(decode)
    const reportDefect = (thrown: unknown): void => context.reportDefect(`cache ${path}`, thrown)
    this.#reads = new ReadQueue({ maxReads, signal: this.#scope.signal, reportDefect })
    const shared = { clock, random, watchedReads, depth, jitterMs }
    const own = { reads: this.#reads, counts: this.#counts, contents: this.#contents }
    this.#root = new TreeNode({ ...shared, ...own }, path)
    this.#root.follow()
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    context.link.start()
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
    return this.#freshness.kind !== 'current'
  }

  get ageMs(): number | undefined {
    const untilMs = freshUntilMs(this.#freshness)
    return untilMs === undefined ? undefined : Math.max(0, this.#context.clock.now() - untilMs)
  }

  get problems(): ReadonlyMap<string, Error> {
    const problems = new Map<string, Error>()
    for (const [path, { error }] of this.#root.watchers()) if (error !== undefined) problems.set(path, error)
    for (const [path, error] of this.#contents.undecodable) if (!problems.has(path)) problems.set(path, error)
    return problems
  }

  async ready(limit?: CallOptions): Promise<void> {
    const { clock, operationTimeoutMs } = this.#context
    const call = resolveCall('ready', limit, operationTimeoutMs)
    const expired = (): Error => this.#timedOut(call.timeoutMs)
    const wait = { what: `cache ${this.path}`, path: this.path, call, expired }
    await runWithinCall({ clock, signal: this.#scope.signal }, wait, (signal) => this.#untilRead(signal))
  }

  changes(limit?: Pick<CallOptions, 'signal'>): AsyncGenerator<CacheChange<unknown>, void> {
    return this.#iterateChanges(resolveSignal('changes', limit))
  }

  async *#iterateChanges(signal: AbortSignal | undefined): AsyncGenerator<CacheChange<unknown>, void> {
    const scope = linkedController(this.#scope.signal, signal)
    try {
      await this.#untilRead(scope.signal).catch(() => undefined)
      yield* this.#contents.follow(scope.signal)
    } finally {
      scope.unlink()
    }
  }

  onChange(listener: (change: CacheChange<unknown>) => void): () => void {
    checkFunction('onChange', this.path, listener)
    const scope = linkedController(this.#scope.signal)
    const delivery = this.#deliverChanges(listener, scope.signal)
    delivery.catch((thrown: unknown) => this.#context.reportDefect(`cache ${this.path}`, thrown))
    return () => scope.abort(undefined)
  }

  onStale(listener: (stale: boolean) => void): () => void {
    checkFunction('onStale', this.path, listener)
    // A listener may close the cache and so notify the later listeners first: each one is called only with a new value.
    let notified = this.stale
    const notify = AsyncResource.bind(listener)
    return this.#events.on('stale', () => {
      if (notified === this.stale) return
      notified = this.stale
      notify(notified)
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
    for (const [, watcher] of this.#root.watchers()) watcher.drop()
  }

  async #followSessions(): Promise<never> {
    for (;;) {
      this.#onSessions()
      await this.#context.sessions.changed.wait(this.#scope.signal)
    }
  }

  #onSessions(): void {
    const { connected, current } = this.#context.sessions
    const before = this.#connectedSession
    const now = connected ? current : undefined
    this.#connectedSession = now
    if (now !== undefined && before !== now) this.#onConnected(now)
    this.#reads.open = now !== undefined
    this.#updateFreshness()
  }

  // On the next connection of a session, the watches report what has changed. In a new session everything is read again.
  #onConnected({ epoch }: LiveSession): void {
    const isNewSession = epoch !== this.#epoch
    this.#epoch = epoch
    if (isNewSession) this.#root.forget()
    for (const [, watcher] of this.#root.watchers()) {
      if (isNewSession) watcher.refresh()
      else watcher.retryNow()
    }
  }

  #updateFreshness(): void {
    const { unread, failing } = this.#counts
    const nowMs = this.#context.clock.now()
    const session = this.#scope.signal.aborted ? undefined : this.#connectedSession
    const next = nextFreshness(this.#freshness, { session, unread, failing, nowMs })
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
    const cause = first?.[1] ?? this.#context.link.unavailableReason()
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `cache ${this.path} not read within ${timeoutMs} ms${why}`
    return new ZookeeperError('timed-out', message, { path: this.path, retryable: true, cause })
  }
}

/** How current a cache is. Only {@link nextFreshness} makes a new value. */
export type Freshness =
  /** Not everything has been read yet. */
  | { readonly kind: 'unread' }
  /** Everything has been read, and the watches of this session report changes. */
  | { readonly kind: 'current'; readonly session: LiveSession; readonly sinceMs: number }
  /** It was current until then, by the clock, and may be arbitrarily old now. */
  | { readonly kind: 'stale'; readonly untilMs: number }

/** What the freshness follows from. */
export interface FreshnessFacts {
  /** The current session while the client is connected. */
  readonly session: LiveSession | undefined
  /** The number of reads that are due or in flight. */
  readonly unread: number
  /** The number of reads that have failed and will be repeated. */
  readonly failing: number
  readonly nowMs: number
}

/** The next freshness; the same object when it is unchanged. */
export function nextFreshness(
  before: Freshness,
  { session, unread, failing, nowMs }: FreshnessFacts,
): Freshness {
  const isFollowed = session !== undefined && failing === 0
  if (before.kind === 'current') {
    return isFollowed && session === before.session
      ? before
      : { kind: 'stale', untilMs: currentUntilMs(before) }
  }
  return isFollowed && unread === 0 ? { kind: 'current', session, sinceMs: nowMs } : before
}

/** Until when the cache was certainly current, by the clock; undefined when it never was. */
export function freshUntilMs(freshness: Freshness): number | undefined {
  switch (freshness.kind) {
    case 'unread':
      return undefined
    case 'current':
      return currentUntilMs(freshness)
    case 'stale':
      return freshness.untilMs
  }
}

// Before an answer, a server sends the watch events of everything that had changed when the request was sent.
function currentUntilMs({ session, sinceMs }: Freshness & { readonly kind: 'current' }): number {
  return Math.max(sinceMs, session.confirmedAtMs)
}

/** {@link CacheOptions}, checked and completed. */
interface ResolvedCacheOptions {
  readonly depth: Depth
  readonly decode: (node: Node, path: string) => unknown
  readonly maxReads: number
  readonly jitterMs: number
}

/** Throws `config-invalid`, with all problems in the message. */
function resolveCacheOptions(given: CacheOptions<unknown> | undefined): ResolvedCacheOptions {
  return resolveOptions<ResolvedCacheOptions>(
    {
      depth: checked(readDepth, 0),
      decode: checked(readDecode, bytesOf),
      maxReads: count({ default: 32, min: 1, max: 1_000 }),
      jitterMs: milliseconds({ default: 0, min: 0, max: 60_000 }),
    },
    given,
    'cache',
  )
}

function bytesOf({ data }: Node): Buffer {
  return data
}

const depths: readonly Depth[] = [0, 1, 'tree']

function readDepth(value: unknown, path: string): Depth {
  const depth = depths.find((one) => one === (value ?? 0))
  if (depth === undefined) throw new ZookeeperError('config-invalid', `${path}: expected 0, 1 or 'tree'`)
  return depth
}

function readDecode(value: unknown, path: string): ResolvedCacheOptions['decode'] {
  if (value === undefined) return bytesOf
  if (typeof value !== 'function') throw new ZookeeperError('config-invalid', `${path}: expected a function`)
  return AsyncResource.bind((node: Node, at: string): unknown => value(node, at))
}
