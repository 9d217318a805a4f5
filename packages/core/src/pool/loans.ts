import type { Endpoint } from '../address/endpoint.ts'
import type { Lease } from '../source.ts'
import type { Held } from './held.ts'
import type { PoolOptions } from './pool-options.ts'

/** One borrow: the lease that the borrower has, since when, and whether anything is heard on it. */
export interface Loan<C> extends Lease<C> {
  readonly held: Held<C>
  /** Clock time of the borrow. */
  readonly sinceMs: number
  /** Where it was borrowed; undefined unless leaks are looked for. */
  readonly stack: string | undefined
  /** The bytes received when it was last looked at. */
  received: number
  /** For how long nothing had been received then, in milliseconds of attention. */
  quietMs: number
  leakTold: boolean
}

/** What is borrowed of one generation. */
export interface Lent<C> {
  readonly endpoint: Endpoint
  /** The number of the generation. */
  readonly number: number
  readonly options: Pick<PoolOptions<C, unknown>, 'clock' | 'driver'>
}

/** What is borrowed from one endpoint, the oldest first. */
export class Loans<C> {
  readonly #lent: Lent<C>
  readonly #all = new Map<Lease<C>, Loan<C>>()

  constructor(lent: Lent<C>) {
    this.#lent = lent
  }

  get size(): number {
    return this.#all.size
  }

  /** Lends a connection; `stack` says where it is borrowed, when leaks are looked for. */
  lend(held: Held<C>, stack: string | undefined): Lease<C> {
    const { endpoint, number, options } = this.#lent
    const { connection, signal } = held
    const loan: Loan<C> = {
      connection,
      endpoint,
      generation: number,
      signal,
      held,
      sinceMs: options.clock.now(),
      stack,
      received: options.driver.received(connection),
      quietMs: 0,
      leakTold: false,
    }
    this.#all.set(loan, loan)
    return loan
  }

  /** Ends a loan; undefined when it is over already. */
  end(lease: Lease<C>): Held<C> | undefined {
    const loan = this.#all.get(lease)
    this.#all.delete(lease)
    return loan?.held
  }

  /** Ends the loan of a connection; false when nobody has borrowed it. */
  endOf(held: Held<C>): boolean {
    for (const loan of this.#all.values()) if (loan.held === held) return this.#all.delete(loan)
    return false
  }

  has(lease: Lease<C>): boolean {
    return this.#all.has(lease)
  }

  all(): readonly Loan<C>[] {
    return [...this.#all.values()]
  }

  /** True when every borrower is among these. */
  allIn(leases: ReadonlySet<Lease<C>>): boolean {
    for (const lease of this.#all.keys()) if (!leases.has(lease)) return false
    return true
  }

  clear(): void {
    this.#all.clear()
  }
}

/** Looks at a loan once more: true when nothing has now been heard on it for as long as `quietMs`. */
export function fellQuiet(
  loan: Loan<unknown>,
  received: number,
  attentiveMs: number,
  quietMs: number,
): boolean {
  const before = loan.quietMs
  loan.quietMs = received === loan.received ? before + attentiveMs : 0
  loan.received = received
  return before < quietMs && loan.quietMs >= quietMs
}
