import { AsyncLocalStorage } from 'node:async_hooks'
import type { View } from '../cluster/cluster-view.ts'
import { detachStack, HaError } from '../errors/ha-error.ts'
import type { Lease, Source } from '../lease.ts'
import { linkedController, withDeadline } from '../util/abort.ts'
import type { Events } from '../util/emitter.ts'
import { Notifier } from '../util/notifier.ts'
import { LeakDetector } from './checkout.ts'
import { EndpointPools } from './endpoint-pools.ts'
import { refreshEndpoints, runHousekeeping } from './housekeeper.ts'
import type { PoolOptions } from './pool-options.ts'
import {
  type PoolEvents,
  type PoolHealth,
  PoolReporter,
  type PoolStateKind,
  poolHealth,
} from './pool-report.ts'
import { PoolSource, type PoolSourceDeps } from './pool-source.ts'
import type { AcquireRequest } from './routing.ts'

/** How a pool was drained. */
export interface DrainResult {
  /** Leases that were released in time, or ended with their endpoint. */
  readonly returned: number
  /** Leases that were still held when the time was up. */
  readonly left: number
}

/**
 * Many connections to each endpoint of a cluster. A route chooses the endpoint of an acquire; a monitor for each endpoint
 * decides which are usable. When an endpoint goes down, all its leases end at once.
 */
export class Pool<C, R> {
  readonly #options: PoolOptions<C, R>
  readonly #reporter: PoolReporter
  readonly #pools: EndpointPools<C, R>
  readonly #leakDetector: LeakDetector<C>
  readonly #returned = new Notifier()
  readonly #scope = linkedController()
  // The connections serve all callers: monitors and dials run in the context of none of them.
  readonly #inOwnContext = AsyncLocalStorage.snapshot()
  readonly #sourceDeps: PoolSourceDeps<C, R>
  #state: PoolStateKind = 'idle'
  #draining: Promise<DrainResult> | undefined
  #closing: Promise<DrainResult> | undefined

  constructor(options: PoolOptions<C, R>) {
    this.#options = options
    this.#reporter = new PoolReporter(options.name)
    this.#pools = new EndpointPools({
      options,
      reporter: this.#reporter,
      onCheckedOut: () => this.#leakDetector.start(this.#scope.signal),
      onReturned: () => this.#returned.notifyAll(),
    })
    this.#leakDetector = new LeakDetector({
      options,
      reporter: this.#reporter,
      pools: () => this.#pools.all(),
      onQuiet: (pool) => this.#pools.checkNow(pool.endpoint),
    })
    this.#sourceDeps = this.#makeSourceDeps()
  }

  /** What is known of the cluster. */
  get view(): View<R> {
    return this.#pools.registry.view
  }

  /** Notifies when the view has changed, and when the pool begins to drain. */
  get changed(): Notifier {
    return this.#pools.changed
  }

  get events(): Events<PoolEvents> {
    return this.#reporter.events
  }

  /** Starts to monitor the endpoints and to keep `size.min` connections. Without it, the first acquire does. */
  start(): void {
    if (this.#state !== 'idle') return
    this.#state = 'open'
    this.#inOwnContext(() => this.#run())
  }

  #run(): void {
    this.#pools.start()
    const { clock, connect, endpoints } = this.#options
    const { signal } = this.#scope
    // Both loops end by rejection when the pool closes.
    runHousekeeping(clock, () => this.#pools.all(), signal).catch(() => undefined)
    if (typeof endpoints === 'function')
      refreshEndpoints(clock, this.#pools.registry, connect.timeoutMs, signal).catch(() => undefined)
  }

  /** A source of connections for one kind of request. */
  source(request: AcquireRequest<C, R>): Source<C> {
    return new PoolSource(this.#sourceDeps, request)
  }

  /**
   * Reports what an operation observed of an endpoint: an error, or success. The monitor checks at once; the health does
   * not change before it has. Reports of an older generation are ignored.
   */
  report({ endpoint, generation }: Pick<Lease<C>, 'endpoint' | 'generation'>, error?: Error): void {
    const pool = this.#pools.get(endpoint)
    if (pool?.generation !== generation) return
    if (error !== undefined) {
      // An error of an endpoint that is down adds nothing, and must not make the monitor dial more often.
      if (!pool.usable) return
      this.#pools.registry.observe({ kind: 'reported', endpoint, error, atMs: this.#options.clock.now() })
    }
    this.#pools.checkNow(endpoint)
  }

  /** The state of the pool as plain data. */
  health(): PoolHealth<R> {
    const { name, clock } = this.#options
    const { view } = this
    return poolHealth(
      { name, state: this.#state, view, pool: (endpoint) => this.#pools.get(endpoint) },
      clock.now(),
    )
  }

  /**
   * Checks out nothing more, rejects waiting acquires, and gives callers up to `timeoutMs` to release their leases.
   * Idempotent: every call returns the same promise, and it never rejects.
   */
  drain(timeoutMs: number): Promise<DrainResult> {
    this.#draining ??= this.#drain(timeoutMs)
    return this.#draining
  }

  /**
   * Drains and closes every connection, all within `timeoutMs`. Idempotent: every call returns the same promise, and it
   * never rejects.
   */
  close(timeoutMs: number): Promise<DrainResult> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  #makeSourceDeps(): PoolSourceDeps<C, R> {
    return {
      options: this.#options,
      pools: this.#pools,
      closed: () => (this.#state === 'idle' || this.#state === 'open' ? undefined : this.#closedError()),
      start: () => this.start(),
      release: (lease) => this.#pools.get(lease.endpoint)?.release(lease),
      fail: (lease, error) => this.#fail(lease, error),
    }
  }

  async #drain(timeoutMs: number): Promise<DrainResult> {
    const before = this.#checkedOutCount()
    this.#state = 'draining'
    for (const pool of this.#pools.all()) pool.reviewQueue()
    this.changed.notifyAll()
    const limit = { timeoutMs, signal: this.#scope.signal, expired: () => this.#closedError() }
    // Leases that are still held when the time is up are counted as left.
    await withDeadline(this.#options.clock, limit, (signal) => this.#allReturned(signal)).catch(
      () => undefined,
    )
    const left = this.#checkedOutCount()
    return { returned: before - left, left }
  }

  async #allReturned(signal: AbortSignal): Promise<void> {
    while (this.#checkedOutCount() > 0) await this.#returned.wait(signal)
  }

  async #close(timeoutMs: number): Promise<DrainResult> {
    const { clock } = this.#options
    const endsAtMs = clock.now() + timeoutMs
    const error = detachStack(this.#closedError())
    // An earlier drain may have had more time.
    const cancel = clock.after(timeoutMs, () => this.#scope.abort(error))
    const drained = await this.drain(timeoutMs)
    cancel()
    this.#state = 'closed'
    this.#scope.abort(error)
    await this.#pools.close(Math.max(0, endsAtMs - clock.now()), error)
    return drained
  }

  #checkedOutCount(): number {
    let count = 0
    for (const pool of this.#pools.all()) count += pool.load().inUse
    return count
  }

  #fail(lease: Lease<C>, error: Error): void {
    const { scope } = this.#options.driver.classify(error)
    // evict() is false for a lease of an older generation, and for one that has ended already.
    if (scope === 'call' || this.#pools.get(lease.endpoint)?.evict(lease, error) !== true) return
    if (scope === 'endpoint') this.report(lease, error)
  }

  #closedError(): HaError {
    return new HaError('closed', `the ${this.#options.name} pool is closed`)
  }
}
