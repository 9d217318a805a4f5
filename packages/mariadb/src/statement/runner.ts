import {
  type Backoff,
  Budget,
  type Clock,
  formatEndpoint,
  fullJitter,
  type Lease,
  type Pool,
  type Runner,
  type Source,
  type Verdict,
} from '@ha/core'
import { Deaf } from '../consistency/causality.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { DriverError } from '../driver/driver-error.ts'
import type { Reading } from '../driver/reading.ts'
import type { Fate } from '../ledger/resolve.ts'
import type { MariadbError } from '../mariadb-error.ts'
import type { ResolvedOptions } from '../options/resolved.ts'
import { type Chooser, nobody } from '../route/chooser.ts'
import type { Asked } from '../route/wish.ts'

/** What every operation of a client stands on. */
export interface Ground {
  readonly pool: Pool<MariadbConnection, Reading>
  readonly chooser: Chooser
  readonly clock: Clock
  readonly random: () => number
  /** How long a wait for a connection may take at the most. */
  readonly acquireTimeoutMs: number
  /** Shared by all statements, so that an outage is not multiplied by retries. */
  readonly budget: Budget
  /** The lease that the caller holds already, when it asks from inside a transaction or session. */
  readonly held: () => Lease<MariadbConnection> | undefined
  /** Hears of each call that ended without anybody knowing whether it happened. */
  readonly onUnknown: (name: string, error: MariadbError) => void
  /** Hears what the ledger said of one of them. */
  readonly onResolved: (token: string, fate: Fate) => void
}

/** What one operation wants of its connections. */
export interface Wanted {
  readonly asked: Asked
  /** The time of the whole operation: a wait for a connection that may last as long needs no limit of its own. */
  readonly timeoutMs: number
  readonly classify: (error: unknown) => Verdict
  /** Replaces the budgets: an operation that counts its own repetitions. */
  readonly budget?: Budget
  /** Whether another server than the single writer will do as well. */
  readonly strays?: boolean
  /** Whether the lease is asked for: by a callback that may borrow a second one. */
  readonly remembers?: boolean
  readonly backoff?: ResolvedOptions['retry']
}

// In a failover the next server is usually there at once; what is not is waited for by the pool.
const statementBackoff = fullJitter({ baseMs: 10, maxMs: 500 })

// What a server says no to for now is asked for so many times more: that takes nothing from anybody else.
const answeredAgain = 8

/** A runner for one operation: servers that failed it before come last, where there is a choice. */
export class OperationRunner implements Runner<MariadbConnection>, Source<MariadbConnection> {
  readonly #ground: Ground
  readonly #source: Source<MariadbConnection>
  readonly #classify: Wanted['classify']
  readonly #budget: Budget | undefined
  readonly #remembers: boolean
  readonly #backoff: Backoff
  #own: Budget | undefined
  #price: Price = 'shared'
  #asked: Asked
  #avoid: Set<string> | undefined
  #lease: Lease<MariadbConnection> | undefined

  constructor(ground: Ground, wanted: Wanted) {
    const { asked, timeoutMs, classify, budget, backoff, strays = false, remembers = false } = wanted
    this.#remembers = remembers
    this.#ground = ground
    this.#asked = asked
    this.#classify = classify
    this.#budget = budget
    this.#backoff = backoff === undefined ? statementBackoff : fullJitter(backoff)
    this.#source = ground.pool.source({
      route: (view, load) =>
        ground.chooser.choose({ asked: this.#asked, avoid: this.#avoid ?? nobody, strays }, view, load),
      within: ground.held(),
      acquireTimeoutMs: ground.acquireTimeoutMs < timeoutMs ? ground.acquireTimeoutMs : undefined,
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
    return this.#ground.clock
  }

  get random(): () => number {
    return this.#ground.random
  }

  /** The lease that the operation runs on, when it was to be remembered. */
  get lease(): Lease<MariadbConnection> | undefined {
    return this.#lease
  }

  take(): Lease<MariadbConnection> | undefined {
    // Each try begins here. One that is lost with its connection is not classified.
    this.#price = 'shared'
    const lease = this.#source.take()
    if (this.#remembers) this.#lease = lease
    return lease
  }

  acquire(signal: AbortSignal): Promise<Lease<MariadbConnection>> {
    const acquiring = this.#source.acquire(signal)
    return this.#remembers ? this.#remember(acquiring) : acquiring
  }

  async #remember(acquiring: Promise<Lease<MariadbConnection>>): Promise<Lease<MariadbConnection>> {
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
  get isForSingleWriter(): boolean {
    return this.#asked === 'primary' && this.#ground.chooser.isSingle('primary')
  }

  /** From the next try on, only the server that takes the writes will do. */
  goToPrimary(): void {
    this.#asked = 'primary'
  }

  trouble(): Error | undefined {
    return this.#source.trouble()
  }

  classify(error: unknown): Verdict {
    const verdict = this.#classify(error)
    this.#price = priceOf(error, verdict)
    return verdict
  }

  /** Pays for a repetition: what was lost with a server out of the shared budget, what one answered out of our own. */
  spend(): boolean {
    if (this.#price === 'nothing') return true
    if (this.#budget !== undefined) return this.#budget.spend()
    if (this.#price === 'shared') return this.#ground.budget.spend()
    this.#own ??= new Budget({ burst: answeredAgain, refill: 0 })
    return this.#own.spend()
  }

  /** Whose repetition costs nothing does not wait for it either: it finds another connection. */
  backoff(round: number, random: () => number): number {
    return this.#price === 'nothing' ? 0 : this.#backoff(round, random)
  }

  refill(): void {
    const budget = this.#budget ?? this.#ground.budget
    budget.refill()
  }
}

/** What a repetition costs, and whom. */
type Price = 'shared' | 'own' | 'nothing'

function priceOf(error: unknown, { scope }: Verdict): Price {
  // Each of them takes one connection out of the pool: there are no more of them than that.
  if (error instanceof Deaf) return 'nothing'
  return scope === 'call' || (error instanceof DriverError && error.stage === 'answered') ? 'own' : 'shared'
}
