import type { View } from '../cluster/cluster-view.ts'
import { detachStack, HaError } from '../errors/ha-error.ts'
import type { Lease, Source } from '../lease.ts'
import { linkedController, withDeadline } from '../util/abort.ts'
import type { Events } from '../util/emitter.ts'
import { Notifier } from '../util/notifier.ts'
import { PoolSource, type PoolSourceDeps } from './acquire.ts'
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
import type { AcquireRequest } from './routing.ts'

/** How a pool was drained. */
export interface DrainResult {
  /** Leases that were given back in time, or ended with their endpoint. */
  readonly returned: number
  /** Leases that somebody still held when the time was over. */
  readonly left: number
}

/**
 * Many connections to each endpoint of a cluster, lent to whoever says by a route where to go. A monitor for each
 * endpoint says which are usable; when one is gone, all its leases end at once.
 */
export class Pool<C, R> {
  readonly #options: PoolOptions<C, R>
  readonly #reporter: PoolReporter
  readonly #pools: EndpointPools<C, R>
  readonly #leakDetector: LeakDetector<C>
  readonly #returned = new Notifier()
  readonly #scope = linkedController()
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

  /** What is believed of the cluster. */
  get view(): View<R> {
    return this.#pools.registry.view
  }

  /** Fires when the view has changed. */
  get changed(): Notifier {
    return this.#pools.changed
  }

  get events(): Events<PoolEvents> {
    return this.#reporter.events
  }

  /** Begins to watch the endpoints and to keep `size.min` connections. Without it, the first acquire does. */
  start(): void {
    if (this.#state !== 'idle') return
    this.#state = 'open'
    this.#pools.start()
    const { clock, connect, endpoints } = this.#options
    const { signal } = this.#scope
    // Both end by rejection when the pool does.
    runHousekeeping(clock, () => this.#pools.all(), signal).catch(() => undefined)
    if (typeof endpoints === 'function')
      refreshEndpoints(clock, this.#pools.registry, connect.timeoutMs, signal).catch(() => undefined)
  }

  /** A source that lends what is wanted. */
  source(request: AcquireRequest<C, R>): Source<C> {
    return new PoolSource(this.#sourceDeps, request)
  }

  /**
   * Says what an operation saw of an endpoint: an error, or that it got through. The monitor looks at once; nothing is
   * believed before it has. Ignored when it is of an older generation.
   */
  report({ endpoint, generation }: Pick<Lease<C>, 'endpoint' | 'generation'>, error?: Error): void {
    const pool = this.#pools.get(endpoint)
    if (pool?.generation !== generation) return
    if (error !== undefined) {
      // Of an endpoint that is down an error is no news, and it is not dialled more often for it.
      if (!pool.usable) return
      this.#pools.registry.observe({ kind: 'reported', endpoint, error, atMs: this.#options.clock.now() })
    }
    this.#pools.checkNow(endpoint)
  }

  /** What the pool believes and does, as plain data. */
  health(): PoolHealth<R> {
    const { name, clock } = this.#options
    const { view } = this
    return poolHealth(
      { name, state: this.#state, view, pool: (endpoint) => this.#pools.get(endpoint) },
      clock.now(),
    )
  }

  /**
   * Lends nothing more, turns away those who wait, and gives those who hold a lease up to `timeoutMs` to give it back.
   * Idempotent: every call returns the same promise, and it never rejects.
   */
  drain(timeoutMs: number): Promise<DrainResult> {
    this.#draining ??= this.#drain(timeoutMs)
    return this.#draining
  }

  /**
   * Drains and ends every connection, all within `timeoutMs`. Idempotent: every call returns the same promise, and it
   * never rejects.
   */
  close(timeoutMs: number): Promise<DrainResult> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  #makeSourceDeps(): PoolSourceDeps<C, R> {
    const pool = this
    return {
      name: this.#options.name,
      clock: this.#options.clock,
      findsLeaks: this.#options.leakAfterMs !== Number.POSITIVE_INFINITY,
      changed: this.changed,
      get view() {
        return pool.view
      },
      get closed() {
        return pool.#state === 'idle' || pool.#state === 'open' ? undefined : pool.#closedError()
      },
      pool: (endpoint) => this.#pools.get(endpoint),
      start: () => this.start(),
      release: (lease) => this.#pools.get(lease.endpoint)?.release(lease),
      fail: (lease, error) => this.#fail(lease, error),
    }
  }

  async #drain(timeoutMs: number): Promise<DrainResult> {
    const checkedOutCount = this.#checkedOutCount()
    this.#state = 'draining'
    for (const pool of this.#pools.all()) pool.reviewQueue()
    this.changed.notifyAll()
    const limit = { timeoutMs, signal: this.#scope.signal, expired: () => this.#closedError() }
    // Whoever still holds a lease when the time is over is counted.
    await withDeadline(this.#options.clock, limit, (signal) => this.#allReturned(signal)).catch(
      () => undefined,
    )
    const left = this.#checkedOutCount()
    return { returned: checkedOutCount - left, left }
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
    let checkedOutCount = 0
    for (const pool of this.#pools.all()) checkedOutCount += pool.load().inUse
    return checkedOutCount
  }

  #fail(lease: Lease<C>, error: Error): void {
    const { scope } = this.#options.driver.classify(error)
    // False for a lease of an older generation, and for one whose connection is known to be over.
    if (scope === 'call' || this.#pools.get(lease.endpoint)?.evict(lease, error) !== true) return
    if (scope === 'endpoint') this.report(lease, error)
  }

  #closedError(): HaError {
    return new HaError('closed', `the ${this.#options.name} pool is closed`)
  }
}
