import { AsyncLocalStorage } from 'node:async_hooks'
import type { Lease } from '@ha/core'
import type { MariadbConnection } from '../driver/connection.ts'

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
