import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Backoff,
  Budget,
  type Clock,
  formatEndpoint,
  fullJitter,
  type Lease,
  type Runner,
  type Source,
  type Verdict,
} from '@ha/core'
import type { ClientContext } from '../context.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { DriverError } from '../driver/error-classification.ts'
import { SyncWaitUnavailable } from '../read-your-writes.ts'
import type { RouteTarget } from '../routing/route.ts'
import { noEndpoints } from '../routing/router.ts'

/** The requirements of one operation. */
interface OperationRequest {
  readonly target: RouteTarget
  /** The time limit of the operation. An acquire that may last as long needs no limit of its own. */
  readonly timeoutMs: number
  readonly classify: (error: unknown) => Verdict
  /** Replaces the default budgets, for an operation that counts its own retries. */
  readonly budget?: Pick<Budget, 'spend' | 'refill'>
  /** Whether another server may be used instead of the single writer. */
  readonly allowOtherWriters?: boolean
  /** Whether the lease is recorded, for a callback that may acquire a second connection. */
  readonly tracksLease?: boolean
  readonly backoff?: Backoff
}

// Short: after a failover the next server is usually available at once, and the pool waits for it otherwise.
const statementBackoff = fullJitter({ baseMs: 10, maxMs: 500 })

// How often one operation may lose the connection on which it runs, and run again: an operation that ends its servers
// must not end all of them, nor spend the retries of others.
const maxLosses = 3

// The number of retries after answers that say "later". They put no load on other servers.
const maxAnsweredRetries = 8

/** Runs one operation; servers that failed it before are tried last. */
export class OperationRunner implements Runner<MariadbConnection>, Source<MariadbConnection> {
  readonly #context: ClientContext
  readonly #source: Source<MariadbConnection>
  readonly #classify: OperationRequest['classify']
  readonly #budget: OperationRequest['budget']
  readonly #tracksLease: boolean
  readonly #backoff: Backoff
  #ownBudget: Budget | undefined
  #losses = 0
  #retryCost: RetryCost = 'shared'
  #target: RouteTarget
  #avoid: Set<string> | undefined
  #lease: Lease<MariadbConnection> | undefined

  constructor(context: ClientContext, wanted: OperationRequest) {
    const {
      target,
      timeoutMs,
      classify,
      budget,
      backoff = statementBackoff,
      allowOtherWriters: strays = false,
      tracksLease: remembers = false,
    } = wanted
    this.#tracksLease = remembers
    this.#context = context
    this.#target = target
    this.#classify = classify
    this.#budget = budget
    this.#backoff = backoff
    this.#source = context.pool.source({
      route: (view, load) =>
        context.router.route(
          { target: this.#target, avoid: this.#avoid ?? noEndpoints, allowOtherWriters: strays },
          view,
          load,
        ),
      within: context.currentLease.lease,
      acquireTimeoutMs: context.acquireTimeoutMs < timeoutMs ? context.acquireTimeoutMs : undefined,
    })
  }

  get source(): Source<MariadbConnection> {
    return this
  }

  get driver(): Runner<MariadbConnection>['driver'] {
    return this
  }

  get budget(): Runner<MariadbConnection>['budget'] {
    return this
  }

  get clock(): Clock {
    return this.#context.clock
  }

  get random(): () => number {
    return this.#context.random
  }

  /** The lease of the operation, when `tracksLease` is set. */
  get lease(): Lease<MariadbConnection> | undefined {
    return this.#lease
  }

  take(): Lease<MariadbConnection> | undefined {
    // Each attempt begins here. An attempt that ends with its connection is not classified.
    this.#retryCost = 'shared'
    const lease = this.#source.take()
    if (this.#tracksLease) this.#lease = lease
    return lease
  }

  acquire(signal: AbortSignal): Promise<Lease<MariadbConnection>> {
    const acquiring = this.#source.acquire(signal)
    return this.#tracksLease ? this.#trackLease(acquiring) : acquiring
  }

  async #trackLease(acquiring: Promise<Lease<MariadbConnection>>): Promise<Lease<MariadbConnection>> {
    this.#lease = await acquiring
    return this.#lease
  }

  release(lease: Lease<MariadbConnection>): void {
    const { abandoned } = lease.connection
    if (abandoned !== undefined) this.#context.killer.kill(abandoned)
    this.#source.release(lease)
  }

  fail(lease: Lease<MariadbConnection>, error: Error): void {
    this.avoid(formatEndpoint(lease.endpoint))
    if (lostUnderWay(error)) this.#losses += 1
    this.#source.fail(lease, error)
  }

  /** Tries a server, given as `host:port`, last for the rest of this operation. */
  avoid(name: string): void {
    this.#avoid ??= new Set()
    this.#avoid.add(name)
  }

  /** Whether only the current writer can serve the operation. */
  get requiresSingleWriter(): boolean {
    return this.#target === 'primary' && this.#context.router.hasSingleServer('primary')
  }

  /** From the next attempt on, routes to the writer only. */
  requirePrimary(): void {
    this.#target = 'primary'
  }

  unavailableReason(): Error | undefined {
    return this.#source.unavailableReason()
  }

  classify(error: unknown): Verdict {
    const verdict = this.#classify(error)
    this.#retryCost = retryCostOf(error, verdict)
    return verdict
  }

  /**
   * Pays for a retry: after a lost connection from the shared budget, after an answer from the operation's own. Refuses
   * when the operation has lost too many connections.
   */
  spend(): boolean {
    if (this.#losses > maxLosses) return false
    if (this.#retryCost === 'nothing') return true
    if (this.#budget !== undefined) return this.#budget.spend()
    if (this.#retryCost === 'shared') return this.#context.retryBudget.spend()
    this.#ownBudget ??= new Budget({ burst: maxAnsweredRetries, refill: 0 })
    return this.#ownBudget.spend()
  }

  /** A free retry does not wait either: it uses another connection. */
  backoff(round: number, random: () => number): number {
    return this.#retryCost === 'nothing' ? 0 : this.#backoff(round, random)
  }

  refill(): void {
    const budget = this.#budget ?? this.#context.retryBudget
    budget.refill()
  }
}

// A statement that was not sent, or was answered, did not lose its connection.
function lostUnderWay(error: Error): boolean {
  return !(error instanceof DriverError) || error.stage === 'lost' || error.stage === 'unread'
}

/** Which budget pays for a retry. */
type RetryCost = 'shared' | 'own' | 'nothing'

function retryCostOf(error: unknown, { scope }: Verdict): RetryCost {
  // Each of these errors removes one connection from the pool, which bounds their number.
  if (error instanceof SyncWaitUnavailable) return 'nothing'
  return scope === 'call' || (error instanceof DriverError && error.stage === 'answered') ? 'own' : 'shared'
}

/** The lease that a callback holds, and the scope of the enclosing callback, of this client or another one. */
interface LeaseScope {
  readonly by: CurrentLease
  readonly lease: Lease<MariadbConnection>
  readonly outer: LeaseScope | undefined
}

// One instance for all clients: on Node 20, each AsyncLocalStorage that was ever used slows down every promise of the
// process.
const scopes = new AsyncLocalStorage<LeaseScope>()

/**
 * Tracks the lease that the calling code already holds. Callbacks that acquire a second connection while they hold
 * one can exhaust a pool and wait for each other forever. Free of cost until the first callback.
 */
export class CurrentLease {
  /** The lease of the innermost callback of this client. */
  get lease(): Lease<MariadbConnection> | undefined {
    let innermost = scopes.getStore()
    while (innermost !== undefined && innermost.by !== this) innermost = innermost.outer
    return innermost?.lease
  }

  /** Runs a callback that holds `lease`. */
  run<T>(lease: Lease<MariadbConnection> | undefined, fn: () => Promise<T>): Promise<T> {
    return lease === undefined ? fn() : scopes.run({ by: this, lease, outer: scopes.getStore() }, fn)
  }
}
