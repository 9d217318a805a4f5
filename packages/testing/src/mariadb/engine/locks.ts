import type { Clock } from '@ha/core'
import { type Deferred, deferred, withDeadline } from '@ha/core/driver'
import { serverError } from './errors.ts'
import type { Table } from './store.ts'
import type { Transaction } from './transaction.ts'

/** `update` excludes every other transaction from a row; `share` excludes those that want to change it. */
export type LockMode = 'update' | 'share'

interface Waiter {
  readonly by: Transaction
  readonly mode: LockMode
  readonly granted: Deferred<void>
}

/** The lock of one row. More than one transaction holds it only in the mode `share`. */
interface Lock {
  readonly mode: LockMode
  readonly holders: ReadonlySet<Transaction>
  /** In order of arrival. */
  readonly waiters: readonly Waiter[]
  /** The number of the last commit that the node had applied when the lock was last granted. */
  readonly takenAt: number
}

/** Which lock is requested, and how long the request waits. */
export interface LockRequest {
  readonly mode: LockMode
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

type Rows = Map<string, Lock>

const free: Lock = { mode: 'share', holders: new Set(), waiters: [], takenAt: 0 }

/** The row locks of one node: a transaction that changes a row excludes the others from it until it ends. */
export class LockManager {
  readonly #clock: Clock
  readonly #applied: () => number
  readonly #locks = new Map<Table, Rows>()

  constructor(clock: Clock, applied: () => number) {
    this.#clock = clock
    this.#applied = applied
  }

  /** Grants a lock, at once or when its holders end; fails with 1205 after `timeoutMs`, and with 1213 at a deadlock. */
  async acquire(table: Table, key: string, by: Transaction, request: LockRequest): Promise<void> {
    const rows = this.#locks.get(table) ?? new Map<string, Lock>()
    this.#locks.set(table, rows)
    const lock = rows.get(key) ?? free
    if (lock.holders.has(by) && (lock.mode === 'update' || request.mode === 'share')) return
    const waiter: Waiter = { by, mode: request.mode, granted: deferred() }
    if (lock.waiters.length === 0 && admits(lock, waiter)) rows.set(key, this.#granted(lock, waiter))
    else await this.#wait(rows, key, { ...lock, waiters: [...lock.waiters, waiter] }, { waiter, request })
  }

  /** Aborts the transactions that hold locks of rows which another node has changed: the first to commit wins. */
  abortOverwritten(): void {
    const applied = this.#applied()
    for (const [table, rows] of this.#locks) {
      for (const [key, { holders, takenAt }] of rows) {
        const changedAt = table.changedAt(key)
        if (changedAt > takenAt && changedAt <= applied) for (const holder of holders) this.#abort(holder)
      }
    }
  }

  /** Releases the locks of a transaction that has ended, and grants them to those that wait. */
  end(transaction: Transaction): void {
    for (const rows of this.#locks.values()) {
      for (const [key, lock] of rows) {
        const waiting = lock.waiters.filter(({ by }) => by === transaction)
        if (waiting.length === 0 && !lock.holders.has(transaction)) continue
        for (const { granted } of waiting) granted.reject(serverError('deadlock'))
        this.#grantNext(rows, key, without(lock, transaction))
      }
    }
  }

  #abort(holder: Transaction): void {
    holder.abort()
    this.end(holder)
  }

  async #wait(
    rows: Rows,
    key: string,
    lock: Lock,
    { waiter, request }: { readonly waiter: Waiter; readonly request: LockRequest },
  ): Promise<void> {
    if (this.#isDeadlock(lock, waiter.by, waiter.by)) throw serverError('deadlock')
    rows.set(key, lock)
    try {
      await withDeadline(
        this.#clock,
        { ...request, expired: () => serverError('lockWaitTimeout') },
        () => waiter.granted.promise,
      )
    } finally {
      this.#withdraw(rows, key, waiter)
    }
  }

  // The requests behind one that has given up may be granted now.
  #withdraw(rows: Rows, key: string, waiter: Waiter): void {
    const lock = rows.get(key)
    if (lock?.waiters.includes(waiter) !== true) return
    this.#grantNext(rows, key, { ...lock, waiters: lock.waiters.filter((other) => other !== waiter) })
  }

  // As many waiting requests as can hold the lock together, in order of arrival.
  #grantNext(rows: Rows, key: string, left: Lock): void {
    let lock = left
    for (;;) {
      const [next, ...others] = lock.waiters
      if (next === undefined || !admits(lock, next)) break
      lock = this.#granted({ ...lock, waiters: others }, next)
      next.granted.resolve()
    }
    if (lock.holders.size === 0) rows.delete(key)
    else rows.set(key, lock)
  }

  #granted({ holders, waiters }: Lock, { by, mode }: Waiter): Lock {
    return { mode, holders: new Set(holders).add(by), waiters, takenAt: this.#applied() }
  }

  // Whether the transactions that block `one` wait, directly or not, for `by`, which is about to wait for them.
  #isDeadlock(lock: Lock, one: Transaction, by: Transaction): boolean {
    return blockers(lock, one).some((other) => other === by || this.#waitsFor(other, by))
  }

  #waitsFor(one: Transaction, by: Transaction): boolean {
    for (const lock of this.#all()) {
      const waits = lock.waiters.some((waiter) => waiter.by === one)
      if (waits && this.#isDeadlock(lock, one, by)) return true
    }
    return false
  }

  *#all(): Iterable<Lock> {
    for (const rows of this.#locks.values()) yield* rows.values()
  }
}

// Whether a request can be granted beside the transactions that hold the lock.
function admits({ mode, holders }: Lock, waiter: Waiter): boolean {
  if (holders.size === 0 || (mode === 'share' && waiter.mode === 'share')) return true
  return holders.size === 1 && holders.has(waiter.by)
}

function without({ holders, waiters, ...lock }: Lock, transaction: Transaction): Lock {
  return {
    ...lock,
    holders: new Set([...holders].filter((holder) => holder !== transaction)),
    waiters: waiters.filter(({ by }) => by !== transaction),
  }
}

// The transactions that must end before `one` can hold the lock.
function blockers({ holders, waiters }: Lock, one: Transaction): readonly Transaction[] {
  const position = waiters.findIndex(({ by }) => by === one)
  const before = waiters.slice(0, position).map(({ by }) => by)
  return [...holders, ...before].filter((other) => other !== one)
}
