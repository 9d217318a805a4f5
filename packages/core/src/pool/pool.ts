import { detachStack, HaError } from '../errors/ha-error.ts'
import type { View } from '../model/view.ts'
import { withDeadline } from '../runtime/deadline.ts'
import type { Events } from '../runtime/emitter.ts'
import { Notifier } from '../runtime/pulse.ts'
import { linkedController } from '../runtime/scope.ts'
import type { Lease, Source } from '../source.ts'
import { Attendance } from './attendance.ts'
import { Hosts } from './hosts.ts'
import type { PoolEvents } from './pool-events.ts'
import { type PoolHealth, type PoolStateKind, poolHealth } from './pool-health.ts'
import type { PoolOptions } from './pool-options.ts'
import { type Lender, PoolSource } from './pool-source.ts'
import { PoolTelling } from './pool-telling.ts'
import { keepUp, relist } from './rounds.ts'
import type { AcquireRequest } from './route.ts'

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
  readonly #telling: PoolTelling
  readonly #hosts: Hosts<C, R>
  readonly #attendance: Attendance<C>
  readonly #returned = new Notifier()
  readonly #scope = linkedController()
  readonly #lender: Lender<C, R>
  #state: PoolStateKind = 'idle'
  #draining: Promise<DrainResult> | undefined
  #closing: Promise<DrainResult> | undefined

  constructor(options: PoolOptions<C, R>) {
    this.#options = options
    this.#telling = new PoolTelling(options.name)
    this.#hosts = new Hosts({
      options,
      telling: this.#telling,
      onLent: () => this.#attendance.begin(this.#scope.signal),
      onReturned: () => this.#returned.notifyAll(),
    })
    this.#attendance = new Attendance({
      options,
      telling: this.#telling,
      hosts: () => this.#hosts.all(),
      onQuiet: (host) => this.#hosts.wake(host.endpoint),
    })
    this.#lender = this.#asLender()
  }

  /** What is believed of the cluster. */
  get view(): View<R> {
    return this.#hosts.roster.view
  }

  /** Fires when the view has changed. */
  get changed(): Notifier {
    return this.#hosts.changed
  }

  get events(): Events<PoolEvents> {
    return this.#telling.events
  }

  /** Begins to watch the endpoints and to keep `size.min` connections. Without it, the first acquire does. */
  start(): void {
    if (this.#state !== 'idle') return
    this.#state = 'open'
    this.#hosts.start()
    const { clock, connect, endpoints } = this.#options
    const { signal } = this.#scope
    // Both end by rejection when the pool does.
    keepUp(clock, () => this.#hosts.all(), signal).catch(() => undefined)
    if (typeof endpoints === 'function')
      relist(clock, this.#hosts.roster, connect.timeoutMs, signal).catch(() => undefined)
  }

  /** A source that lends what is wanted. */
  source(want: AcquireRequest<C, R>): Source<C> {
    return new PoolSource(this.#lender, want)
  }

  /**
   * Says what an operation saw of an endpoint: an error, or that it got through. The monitor looks at once; nothing is
   * believed before it has. Ignored when it is of an older generation.
   */
  report({ endpoint, generation }: Pick<Lease<C>, 'endpoint' | 'generation'>, error?: Error): void {
    const host = this.#hosts.get(endpoint)
    if (host?.generation !== generation) return
    if (error !== undefined) {
      // Of an endpoint that is down an error is no news, and it is not dialled more often for it.
      if (!host.usable) return
      this.#hosts.roster.observe({ kind: 'blamed', endpoint, error, atMs: this.#options.clock.now() })
    }
    this.#hosts.wake(endpoint)
  }

  /** What the pool believes and does, as plain data. */
  health(): PoolHealth<R> {
    const { name, clock } = this.#options
    const { view } = this
    return poolHealth(
      { name, state: this.#state, view, host: (endpoint) => this.#hosts.get(endpoint) },
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

  #asLender(): Lender<C, R> {
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
      host: (endpoint) => this.#hosts.get(endpoint),
      start: () => this.start(),
      release: (lease) => this.#hosts.get(lease.endpoint)?.giveBack(lease),
      fail: (lease, error) => this.#fail(lease, error),
    }
  }

  async #drain(timeoutMs: number): Promise<DrainResult> {
    const lent = this.#lent()
    this.#state = 'draining'
    for (const host of this.#hosts.all()) host.review()
    this.changed.notifyAll()
    const limit = { timeoutMs, signal: this.#scope.signal, expired: () => this.#closedError() }
    // Whoever still holds a lease when the time is over is counted.
    await withDeadline(this.#options.clock, limit, (signal) => this.#allReturned(signal)).catch(
      () => undefined,
    )
    const left = this.#lent()
    return { returned: lent - left, left }
  }

  async #allReturned(signal: AbortSignal): Promise<void> {
    while (this.#lent() > 0) await this.#returned.wait(signal)
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
    await this.#hosts.close(Math.max(0, endsAtMs - clock.now()), error)
    return drained
  }

  #lent(): number {
    let lent = 0
    for (const host of this.#hosts.all()) lent += host.load().inUse
    return lent
  }

  #fail(lease: Lease<C>, error: Error): void {
    const { scope } = this.#options.driver.classify(error)
    // False for a lease of an older generation, and for one whose connection is known to be over.
    if (scope === 'call' || this.#hosts.get(lease.endpoint)?.drop(lease, error) !== true) return
    if (scope === 'endpoint') this.report(lease, error)
  }

  #closedError(): HaError {
    return new HaError('closed', `the ${this.#options.name} pool is closed`)
  }
}
