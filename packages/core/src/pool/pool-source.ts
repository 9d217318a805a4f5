import { memberAt, type View } from '../cluster/cluster-view.ts'
import { HaError, messageAt } from '../errors/ha-error.ts'
import type { Lease, Source } from '../lease.ts'
import { withDeadline } from '../util/abort.ts'
import type { AcquireAttempt } from './acquire-queue.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import type { EndpointPools } from './endpoint-pools.ts'
import type { PoolOptions } from './pool-options.ts'
import { callStack } from './pool-report.ts'
import type { AcquireRequest, HostLoad, Route } from './routing.ts'

export interface PoolSourceDeps<C, R> {
  readonly options: PoolOptions<C, R>
  readonly pools: Pick<EndpointPools<C, R>, 'registry' | 'changed' | 'get'>
  /** The error of a pool that is closing or closed; undefined while it is open. */
  closed(): HaError | undefined
  start(): void
  release(lease: Lease<C>): void
  fail(lease: Lease<C>, error: Error): void
}

/** Acquires connections of a pool along one route. */
export class PoolSource<C, R> implements Source<C> {
  readonly #deps: PoolSourceDeps<C, R>
  readonly #request: AcquireRequest<C, R>

  constructor(deps: PoolSourceDeps<C, R>, request: AcquireRequest<C, R>) {
    this.#deps = deps
    this.#request = request
  }

  /** An idle connection at the endpoint that the route names, the usual case. Throws as {@link acquire} rejects. */
  take(): Lease<C> | undefined {
    if (this.#deps.closed() !== undefined) return undefined
    const to = destination(this.#deps.pools, this.#request.route)
    if (to.kind !== 'endpoint') return undefined
    return to.pool.take({ within: this.#request.within, stack: this.#callStack() })
  }

  /**
   * Waits for a connection. Rejects with the signal's reason; with `closed`; with the route's error when it is final;
   * with `exhausted` at once when waiting cannot succeed; and with the {@link unavailableReason} after
   * `acquireTimeoutMs`.
   */
  acquire(signal: AbortSignal): Promise<Lease<C>> {
    const { acquireTimeoutMs: timeoutMs } = this.#request
    const stack = this.#callStack()
    this.#deps.start()
    if (timeoutMs === undefined) return this.#acquire(stack, signal)
    const limit = { timeoutMs, signal, expired: () => this.#expiredError() }
    const late = (lease: Lease<C>): void => this.release(lease)
    return withDeadline(this.#deps.options.clock, limit, (inner) => this.#acquire(stack, inner), late)
  }

  release(lease: Lease<C>): void {
    this.#deps.release(lease)
  }

  fail(lease: Lease<C>, error: Error): void {
    this.#deps.fail(lease, error)
  }

  /** Why an acquire would have to wait now; undefined when it would not. */
  unavailableReason(): HaError | undefined {
    const closed = this.#deps.closed()
    if (closed !== undefined) return closed
    const to = destination(this.#deps.pools, this.#request.route)
    if (to.kind === 'none') return to.error ?? this.#unlistedError()
    const { pool } = to
    if (pool.load().free > 0 && pool.unavailableReason === undefined && pool.connecting === 0)
      return undefined
    return waitReason(pool, this.#deps.pools.registry.view)
  }

  async #acquire(stack: string | undefined, signal: AbortSignal): Promise<Lease<C>> {
    for (;;) {
      signal.throwIfAborted()
      const closed = this.#deps.closed()
      if (closed !== undefined) throw closed
      const lease = await this.#tryAcquire(stack, signal)
      if (lease !== undefined && !signal.aborted) return lease
      // The lease was granted in the turn in which the caller gave up.
      if (lease !== undefined) this.release(lease)
    }
  }

  async #tryAcquire(stack: string | undefined, signal: AbortSignal): Promise<Lease<C> | undefined> {
    const to = destination(this.#deps.pools, this.#request.route)
    if (to.kind === 'endpoint') {
      const attempt = this.#attempt(to.pool, stack)
      return to.pool.take(attempt) ?? to.pool.enqueue(attempt, signal)
    }
    if (to.final) throw to.error ?? this.#unlistedError()
    await this.#deps.pools.changed.wait(signal)
    return undefined
  }

  #callStack(): string | undefined {
    return this.#deps.options.leakAfterMs === Number.POSITIVE_INFINITY ? undefined : callStack()
  }

  #attempt(pool: EndpointPool<C>, stack: string | undefined): AcquireAttempt<C> {
    return { isRoutedHere: () => this.#isRoutedTo(pool), within: this.#request.within, stack }
  }

  #isRoutedTo(pool: EndpointPool<C>): boolean {
    if (this.#deps.closed() !== undefined) return false
    try {
      const to = destination(this.#deps.pools, this.#request.route)
      return to.kind === 'endpoint' && to.pool === pool
    } catch {
      // A route that throws does so again when its own acquire asks it, which reports the error.
      return false
    }
  }

  #expiredError(): HaError {
    const to = destination(this.#deps.pools, this.#request.route)
    if (to.kind === 'none') return to.error ?? this.#unlistedError()
    return waitReason(to.pool, this.#deps.pools.registry.view)
  }

  #unlistedError(): HaError {
    return new HaError(
      'unreachable',
      `the route of the ${this.#deps.options.name} pool leads to no listed endpoint`,
      {
        retryable: true,
      },
    )
  }
}

/** Where an acquire goes now: to an endpoint, or nowhere until the view changes, or, when final, nowhere at all. */
type Destination<C> =
  | { readonly kind: 'endpoint'; readonly pool: EndpointPool<C> }
  | { readonly kind: 'none'; readonly error: HaError | undefined; readonly final: boolean }

const noLoad: HostLoad = { inUse: 0, waiting: 0, free: 0 }

/** Asks the route, and takes the first endpoint that has no known problem, else the first usable one. */
function destination<C, R>(pools: PoolSourceDeps<C, R>['pools'], route: Route<R>): Destination<C> {
  const routing = route(pools.registry.view, (endpoint) => pools.get(endpoint)?.load() ?? noLoad)
  if (routing.kind === 'none') return { kind: 'none', error: routing.error, final: routing.final ?? false }
  let usable: EndpointPool<C> | undefined
  let first: EndpointPool<C> | undefined
  for (const endpoint of routing.endpoints) {
    const candidate = pools.get(endpoint)
    if (candidate?.usable && candidate.unavailableReason === undefined)
      return { kind: 'endpoint', pool: candidate }
    if (candidate?.usable) usable ??= candidate
    first ??= candidate
  }
  const best = usable ?? first
  return best === undefined
    ? { kind: 'none', error: undefined, final: false }
    : { kind: 'endpoint', pool: best }
}

/** Why an acquire has to wait for a connection to this endpoint. */
function waitReason<C>(pool: EndpointPool<C>, view: View): HaError {
  const { name, connecting, unavailableReason } = pool
  const unreachable = (message: string, cause?: Error): HaError =>
    new HaError('unreachable', message, { endpoint: name, cause, retryable: true })
  const member = memberAt(view, pool.endpoint)
  if (!pool.usable) {
    const { health = 'unknown', lastError } = member ?? {}
    return unreachable(
      `${name} is ${health}${lastError === undefined ? '' : `: ${messageAt(name, lastError)}`}`,
      lastError,
    )
  }
  if (unavailableReason !== undefined)
    return unreachable(`no connection to ${name}: ${messageAt(name, unavailableReason)}`, unavailableReason)
  if (pool.load().free > 0)
    return unreachable(`no connection to ${name} is ready yet; ${connecting} connecting`)
  return pool.exhaustedError('no connection was released in time')
}
