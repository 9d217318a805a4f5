import { type Deferred, deferredUntil } from '../runtime/gate.ts'
import type { Lease } from '../source.ts'

/** One acquire that stands in line. */
export interface Waiter<C> {
  /** Opens with a lease, or with undefined when the acquire should look again where to go. */
  readonly gate: Deferred<Lease<C> | undefined>
  /** Whether this is still the line to stand in. */
  readonly fits: () => boolean
  /** The lease that the caller holds while it waits. */
  readonly within: Lease<C> | undefined
  /** Where it was called; undefined unless leaks are looked for. */
  readonly stack: string | undefined
}

/** Who wants to borrow. */
export type Borrower<C> = Omit<Waiter<C>, 'gate'>

/** Those who wait for a connection to one endpoint: first come, first served. */
export class WaitingLine<C> {
  readonly #waiters = new Set<Waiter<C>>()

  get length(): number {
    return this.#waiters.size
  }

  join(borrower: Borrower<C>, signal: AbortSignal): Waiter<C> {
    const waiter: Waiter<C> = { gate: deferredUntil(signal), ...borrower }
    this.#waiters.add(waiter)
    return waiter
  }

  leave(waiter: Waiter<C>): void {
    this.#waiters.delete(waiter)
  }

  /** Takes the first out of the line. */
  next(): Waiter<C> | undefined {
    const [first] = this.#waiters
    if (first !== undefined) this.#waiters.delete(first)
    return first
  }

  /** The leases that are held by those who stand here. */
  withins(): Set<Lease<C>> {
    const leases = new Set<Lease<C>>()
    for (const { within } of this.#waiters) if (within !== undefined) leases.add(within)
    return leases
  }

  /** Sends those who no longer fit here to look again. */
  review(): void {
    for (const waiter of this.#waiters) if (!waiter.fits()) this.#sendAway(waiter)
  }

  #sendAway(waiter: Waiter<C>): void {
    this.#waiters.delete(waiter)
    waiter.gate.resolve(undefined)
  }
}
