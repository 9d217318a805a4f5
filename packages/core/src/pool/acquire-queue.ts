import type { Lease } from '../lease.ts'
import { type Deferred, deferredUntil } from '../util/deferred.ts'

/** An acquire that waits for a connection. */
export interface Waiter<C> {
  /** Resolves with a lease, or with undefined when the acquire has to ask its route again. */
  readonly lease: Deferred<Lease<C> | undefined>
  /** Whether the route still leads to this endpoint. */
  readonly isRoutedHere: () => boolean
  /** The lease that the caller holds already. */
  readonly within: Lease<C> | undefined
  /** The call stack of the acquire; undefined unless leaks are detected. */
  readonly stack: string | undefined
}

/** An acquire before it waits. */
export type AcquireAttempt<C> = Omit<Waiter<C>, 'lease'>

/** The acquires that wait for a connection to one endpoint, first in, first out. */
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

  /** Removes and returns the first waiter. */
  shift(): Waiter<C> | undefined {
    const [first] = this.#waiters
    if (first !== undefined) this.#waiters.delete(first)
    return first
  }

  /** The leases that the waiting callers hold already. */
  heldLeases(): Set<Lease<C>> {
    const leases = new Set<Lease<C>>()
    for (const { within } of this.#waiters) if (within !== undefined) leases.add(within)
    return leases
  }

  /** Makes the waiters whose route leads elsewhere by now ask it again. */
  review(): void {
    for (const waiter of this.#waiters) if (!waiter.isRoutedHere()) this.#reroute(waiter)
  }

  #reroute(waiter: Waiter<C>): void {
    this.#waiters.delete(waiter)
    waiter.lease.resolve(undefined)
  }
}
