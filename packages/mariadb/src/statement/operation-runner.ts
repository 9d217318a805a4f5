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

/** What one operation wants of its connections. */
interface OperationRequest {
  readonly target: RouteTarget
  /** The time of the whole operation: a wait for a connection that may last as long needs no limit of its own. */
  readonly timeoutMs: number
  readonly classify: (error: unknown) => Verdict
  /** Replaces the budgets: an operation that counts its own repetitions. */
  readonly budget?: Budget
  /** Whether another server than the single writer will do as well. */
  readonly allowOtherWriters?: boolean
  /** Whether the lease is asked for: by a callback that may borrow a second one. */
  readonly tracksLease?: boolean
  readonly backoff?: Backoff
}

// In a failover the next server is usually there at once; what is not is waited for by the pool.
const statementBackoff = fullJitter({ baseMs: 10, maxMs: 500 })

// What a server says no to for now is asked for so many times more: that takes nothing from anybody else.
const maxAnsweredRetries = 8

/** A runner for one operation: servers that failed it before come last, where there is a choice. */
export class OperationRunner implements Runner<MariadbConnection>, Source<MariadbConnection> {
  readonly #context: ClientContext
  readonly #source: Source<MariadbConnection>
  readonly #classify: OperationRequest['classify']
  readonly #budget: Budget | undefined
  readonly #tracksLease: boolean
  readonly #backoff: Backoff
  #ownBudget: Budget | undefined
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

  /** The lease that the operation runs on, when it was to be remembered. */
  get lease(): Lease<MariadbConnection> | undefined {
    return this.#lease
  }

  take(): Lease<MariadbConnection> | undefined {
    // Each try begins here. One that is lost with its connection is not classified.
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
    this.#source.release(lease)
  }

  fail(lease: Lease<MariadbConnection>, error: Error): void {
    this.avoid(formatEndpoint(lease.endpoint))
    this.#source.fail(lease, error)
  }

  /** Puts a server, as `host:port`, behind the others for the rest of this operation. */
  avoid(name: string): void {
    this.#avoid ??= new Set()
    this.#avoid.add(name)
  }

  /** Whether there is one server alone that will do: the one that takes the writes. */
  get requiresSingleWriter(): boolean {
    return this.#target === 'primary' && this.#context.router.hasSingleServer('primary')
  }

  /** From the next try on, only the server that takes the writes will do. */
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

  /** Pays for a repetition: what was lost with a server out of the shared budget, what one answered out of our own. */
  spend(): boolean {
    if (this.#retryCost === 'nothing') return true
    if (this.#budget !== undefined) return this.#budget.spend()
    if (this.#retryCost === 'shared') return this.#context.retryBudget.spend()
    this.#ownBudget ??= new Budget({ burst: maxAnsweredRetries, refill: 0 })
    return this.#ownBudget.spend()
  }

  /** Whose repetition costs nothing does not wait for it either: it finds another connection. */
  backoff(round: number, random: () => number): number {
    return this.#retryCost === 'nothing' ? 0 : this.#backoff(round, random)
  }

  refill(): void {
    const budget = this.#budget ?? this.#context.retryBudget
    budget.refill()
  }
}

/** What a repetition costs, and whom. */
type RetryCost = 'shared' | 'own' | 'nothing'

function retryCostOf(error: unknown, { scope }: Verdict): RetryCost {
  // Each of them takes one connection out of the pool: there are no more of them than that.
  if (error instanceof SyncWaitUnavailable) return 'nothing'
  return scope === 'call' || (error instanceof DriverError && error.stage === 'answered') ? 'own' : 'shared'
}

/** What one callback sits on, and the callback that it runs inside of, of this client or another. */
interface LeaseScope {
  readonly by: CurrentLease
  readonly lease: Lease<MariadbConnection>
  readonly outer: LeaseScope | undefined
}

// One for all clients: on Node 20 each that was ever used makes every promise of the process dearer, and for ever.
const scopes = new AsyncLocalStorage<LeaseScope>()

/**
 * Knows which lease the code that asks for another one holds already: callbacks that take a second connection while
 * they sit on the first can use up a pool and wait for each other for ever. Costs nothing until the first callback.
 */
export class CurrentLease {
  /** The lease that the caller is inside of. */
  get lease(): Lease<MariadbConnection> | undefined {
    let innermost = scopes.getStore()
    while (innermost !== undefined && innermost.by !== this) innermost = innermost.outer
    return innermost?.lease
  }

  /** Runs a callback that holds a lease. */
  run<T>(lease: Lease<MariadbConnection> | undefined, fn: () => Promise<T>): Promise<T> {
    return lease === undefined ? fn() : scopes.run({ by: this, lease, outer: scopes.getStore() }, fn)
  }
}
