import type { Endpoint } from '../address/endpoint.ts'
import { memberAt, type View } from '../cluster/cluster-view.ts'
import { HaError } from '../errors/ha-error.ts'
import type { Lease, Source } from '../lease.ts'
import { withDeadline } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'
import { type Deferred, deferredUntil } from '../util/deferred.ts'
import type { Notifier } from '../util/notifier.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import { callStack } from './pool-report.ts'
import type { AcquireRequest, HostLoad, Route } from './routing.ts'

/** What a source needs of its pool. */
export interface PoolSourceDeps<C, R> extends Ground<C, R> {
  readonly name: string
  readonly clock: Clock
  /** Whether it has to be known where each lease was borrowed. */
  readonly findsLeaks: boolean
  /** Fires when the view has changed, and when the pool is closed. */
  readonly changed: Notifier
  /** Why nothing is lent any more; undefined while something is. */
  readonly closed: HaError | undefined
  start(): void
  release(lease: Lease<C>): void
  fail(lease: Lease<C>, error: Error): void
}

/** Lends the connections of a pool to those who want the same. */
export class PoolSource<C, R> implements Source<C> {
  readonly #deps: PoolSourceDeps<C, R>
  readonly #request: AcquireRequest<C, R>

  constructor(deps: PoolSourceDeps<C, R>, request: AcquireRequest<C, R>) {
    this.#deps = deps
    this.#request = request
  }

  /** What most operations find: an idle connection where the route goes. Throws as {@link acquire} rejects. */
  take(): Lease<C> | undefined {
    if (this.#deps.closed !== undefined) return undefined
    const to = destination(this.#deps, this.#request.route)
    if (to.kind !== 'endpoint') return undefined
    return to.pool.take({ within: this.#request.within, stack: this.#callStack() })
  }

  /**
   * Waits for a connection. Rejects with the signal's reason; with `closed`; with the route's error when it is final;
   * with `exhausted` at once when waiting is in vain; and with what {@link unavailableReason} says when the time of the want is
   * over.
   */
  acquire(signal: AbortSignal): Promise<Lease<C>> {
    const { acquireTimeoutMs: timeoutMs } = this.#request
    const stack = this.#callStack()
    this.#deps.start()
    if (timeoutMs === undefined) return this.#acquire(stack, signal)
    const limit = { timeoutMs, signal, expired: () => this.#expiredError() }
    const late = (lease: Lease<C>): void => this.release(lease)
    return withDeadline(this.#deps.clock, limit, (inner) => this.#acquire(stack, inner), late)
  }

  release(lease: Lease<C>): void {
    this.#deps.release(lease)
  }

  fail(lease: Lease<C>, error: Error): void {
    this.#deps.fail(lease, error)
  }

  /** Why an acquire that began now would have to wait; undefined when it would not. */
  unavailableReason(): HaError | undefined {
    if (this.#deps.closed !== undefined) return this.#deps.closed
    const to = destination(this.#deps, this.#request.route)
    if (to.kind === 'none') return to.error ?? this.#unlistedError()
    const { pool } = to
    if (pool.load().free > 0 && pool.unavailableReason === undefined && pool.connecting === 0)
      return undefined
    return waitReason(pool, this.#deps.view)
  }

  async #acquire(stack: string | undefined, signal: AbortSignal): Promise<Lease<C>> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#deps.closed !== undefined) throw this.#deps.closed
      const lease = await this.#tryAcquire(stack, signal)
      if (lease !== undefined && !signal.aborted) return lease
      // It was lent in the turn in which the caller gave up.
      if (lease !== undefined) this.release(lease)
    }
  }

  async #tryAcquire(stack: string | undefined, signal: AbortSignal): Promise<Lease<C> | undefined> {
    const to = destination(this.#deps, this.#request.route)
    if (to.kind === 'endpoint') {
      const attempt = this.#attempt(to.pool, stack)
      return to.pool.take(attempt) ?? to.pool.enqueue(attempt, signal)
    }
    if (to.final) throw to.error ?? this.#unlistedError()
    await this.#deps.changed.wait(signal)
    return undefined
  }

  #callStack(): string | undefined {
    return this.#deps.findsLeaks ? callStack() : undefined
  }

  #attempt(pool: EndpointPool<C>, stack: string | undefined): AcquireAttempt<C> {
    return { isRoutedHere: () => this.#isRoutedTo(pool), within: this.#request.within, stack }
  }

  #isRoutedTo(pool: EndpointPool<C>): boolean {
    if (this.#deps.closed !== undefined) return false
    try {
      const to = destination(this.#deps, this.#request.route)
      return to.kind === 'endpoint' && to.pool === pool
    } catch {
      // A route that throws does so again when its own acquire asks it, and is heard there.
      return false
    }
  }

  #expiredError(): HaError {
    const to = destination(this.#deps, this.#request.route)
    if (to.kind === 'none') return to.error ?? this.#unlistedError()
    return waitReason(to.pool, this.#deps.view)
  }

  #unlistedError(): HaError {
    return new HaError('unreachable', `the ${this.#deps.name} pool knows no such endpoint`, {
      retryable: true,
    })
  }
}

/** What an acquire looks at. */
interface Ground<C, R> {
  readonly view: View<R>
  readonly pool: (endpoint: Endpoint) => EndpointPool<C> | undefined
}

/** Where an acquire goes now: to a host, or nowhere until the view changes, or, when it is final, nowhere at all. */
type Destination<C> =
  | { readonly kind: 'endpoint'; readonly pool: EndpointPool<C> }
  | { readonly kind: 'none'; readonly error: HaError | undefined; readonly final: boolean }

const noLoad: HostLoad = { inUse: 0, waiting: 0, free: 0 }

/** Asks the route, and takes the first of its endpoints that can be used without trouble, else the first that can be. */
function destination<C, R>({ view, pool }: Ground<C, R>, route: Route<R>): Destination<C> {
  const routing = route(view, (endpoint) => pool(endpoint)?.load() ?? noLoad)
  if (routing.kind === 'none') return { kind: 'none', error: routing.error, final: routing.final ?? false }
  let usable: EndpointPool<C> | undefined
  let first: EndpointPool<C> | undefined
  for (const endpoint of routing.endpoints) {
    const candidate = pool(endpoint)
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

/** Why a connection to this host has to be waited for. */
function waitReason<C>(pool: EndpointPool<C>, view: View): HaError {
  const { name, connecting, unavailableReason: trouble } = pool
  const unreachable = (message: string, cause?: Error): HaError =>
    new HaError('unreachable', message, { endpoint: name, cause, retryable: true })
  const member = memberAt(view, pool.endpoint)
  if (!pool.usable) {
    const { health = 'unknown', lastError } = member ?? {}
    return unreachable(
      `${name} is ${health}${lastError === undefined ? '' : `: ${lastError.message}`}`,
      lastError,
    )
  }
  if (trouble !== undefined) return unreachable(`no connection to ${name}: ${trouble.message}`, trouble)
  if (pool.load().free > 0)
    return unreachable(`a connection to ${name} is not ready yet; ${connecting} are being made`)
  return pool.exhaustedError('no connection was given back in time')
}

/** One acquire that stands in line. */
interface Waiter<C> {
  /** Opens with a lease, or with undefined when the acquire should look again where to go. */
  readonly lease: Deferred<Lease<C> | undefined>
  /** Whether this is still the line to stand in. */
  readonly isRoutedHere: () => boolean
  /** The lease that the caller holds while it waits. */
  readonly within: Lease<C> | undefined
  /** Where it was called; undefined unless leaks are looked for. */
  readonly stack: string | undefined
}

/** Who wants to borrow. */
export type AcquireAttempt<C> = Omit<Waiter<C>, 'lease'>

/** Those who wait for a connection to one endpoint: first come, first served. */
export class AcquireQueue<C> {
  readonly #waiters = new Set<Waiter<C>>()

  get length(): number {
    return this.#waiters.size
  }

  enqueue(attempt: AcquireAttempt<C>, signal: AbortSignal): Waiter<C> {
    const waiter: Waiter<C> = { lease: deferredUntil(signal), ...attempt }
    this.#waiters.add(waiter)
    return waiter
  }

  remove(waiter: Waiter<C>): void {
    this.#waiters.delete(waiter)
  }

  /** Takes the first out of the line. */
  shift(): Waiter<C> | undefined {
    const [first] = this.#waiters
    if (first !== undefined) this.#waiters.delete(first)
    return first
  }

  /** The leases that are held by those who stand here. */
  heldLeases(): Set<Lease<C>> {
    const leases = new Set<Lease<C>>()
    for (const { within } of this.#waiters) if (within !== undefined) leases.add(within)
    return leases
  }

  /** Sends those who no longer fit here to look again. */
  review(): void {
    for (const waiter of this.#waiters) if (!waiter.isRoutedHere()) this.#reroute(waiter)
  }

  #reroute(waiter: Waiter<C>): void {
    this.#waiters.delete(waiter)
    waiter.lease.resolve(undefined)
  }
}
