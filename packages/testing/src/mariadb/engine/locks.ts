import type { Clock } from '@ha/core'
import { type Deferred, deferred, withDeadline } from '@ha/core/driver'
import { refusals } from './refusals.ts'
import type { Table } from './table.ts'
import type { Transaction } from './transaction.ts'

/** `update` keeps everybody else from a row; `share` keeps those from it who would change it. */
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
  /** First come, first served. */
  readonly waiters: readonly Waiter[]
  /** How far the node had come when it was last given to somebody. */
  readonly takenAt: number
}

/** What lock is wanted, and how long it is waited for. */
export interface LockWish {
  readonly mode: LockMode
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

type Rows = Map<string, Lock>

const free: Lock = { mode: 'share', holders: new Set(), waiters: [], takenAt: 0 }

/** The row locks of one node: who changes a row keeps the others from it until it is done. */
export class Locks {
  readonly #clock: Clock
  readonly #applied: () => number
  readonly #locks = new Map<Table, Rows>()

  constructor(clock: Clock, applied: () => number) {
    this.#clock = clock
    this.#applied = applied
  }

  /** Gives a lock, at once or when its holders are done; refuses with 1205 after `timeoutMs`, with 1213 in a circle. */
  async acquire(table: Table, key: string, by: Transaction, wish: LockWish): Promise<void> {
    const rows = this.#locks.get(table) ?? new Map<string, Lock>()
    this.#locks.set(table, rows)
    const lock = rows.get(key) ?? free
    if (lock.holders.has(by) && (lock.mode === 'update' || wish.mode === 'share')) return
    const waiter: Waiter = { by, mode: wish.mode, granted: deferred() }
    if (lock.waiters.length === 0 && admits(lock, waiter)) rows.set(key, this.#given(lock, waiter))
    else await this.#wait(rows, key, { ...lock, waiters: [...lock.waiters, waiter] }, { waiter, wish })
  }

  /** Another node has changed rows that are held here: their holders lose. */
  doomOvertaken(): void {
    const applied = this.#applied()
    for (const [table, rows] of this.#locks) {
      for (const [key, { holders, takenAt }] of rows) {
        const changedAt = table.changedAt(key)
        if (changedAt > takenAt && changedAt <= applied) for (const holder of holders) this.#doom(holder)
      }
    }
  }

  /** A transaction is over: its locks go to those who wait. */
  end(transaction: Transaction): void {
    for (const rows of this.#locks.values()) {
      for (const [key, lock] of rows) {
        const waiting = lock.waiters.filter(({ by }) => by === transaction)
        if (waiting.length === 0 && !lock.holders.has(transaction)) continue
        for (const { granted } of waiting) granted.reject(refusals.deadlock())
        this.#pass(rows, key, without(lock, transaction))
      }
    }
  }

  #doom(holder: Transaction): void {
    holder.doom()
    this.end(holder)
  }

  async #wait(
    rows: Rows,
    key: string,
    lock: Lock,
    { waiter, wish }: { readonly waiter: Waiter; readonly wish: LockWish },
  ): Promise<void> {
    if (this.#isCircle(lock, waiter.by, waiter.by)) throw refusals.deadlock()
    rows.set(key, lock)
    try {
      await withDeadline(this.#clock, { ...wish, expired: refusals.lockWait }, () => waiter.granted.promise)
    } finally {
      this.#leave(rows, key, waiter)
    }
  }

  // Whoever stood behind one that gives up may have it now.
  #leave(rows: Rows, key: string, waiter: Waiter): void {
    const lock = rows.get(key)
    if (lock?.waiters.includes(waiter) !== true) return
    this.#pass(rows, key, { ...lock, waiters: lock.waiters.filter((other) => other !== waiter) })
  }

  // To as many of those who wait as can have it together, in their order.
  #pass(rows: Rows, key: string, left: Lock): void {
    let lock = left
    for (;;) {
      const [next, ...others] = lock.waiters
      if (next === undefined || !admits(lock, next)) break
      lock = this.#given({ ...lock, waiters: others }, next)
      next.granted.resolve()
    }
    if (lock.holders.size === 0) rows.delete(key)
    else rows.set(key, lock)
  }

  #given({ holders, waiters }: Lock, { by, mode }: Waiter): Lock {
    return { mode, holders: new Set(holders).add(by), waiters, takenAt: this.#applied() }
  }

  // Whether those who keep `one` from a lock wait, over however many others, for `by`, who is about to wait for it.
  #isCircle(lock: Lock, one: Transaction, by: Transaction): boolean {
    return ahead(lock, one).some((other) => other === by || this.#isBehind(other, by))
  }

  #isBehind(one: Transaction, by: Transaction): boolean {
    for (const lock of this.#all()) {
      const waits = lock.waiters.some((waiter) => waiter.by === one)
      if (waits && this.#isCircle(lock, one, by)) return true
    }
    return false
  }

  *#all(): Iterable<Lock> {
    for (const rows of this.#locks.values()) yield* rows.values()
  }
}

// Whether somebody can have a lock beside those who hold it.
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

// Who must be done before `one`, who waits, can have a lock.
function ahead({ holders, waiters }: Lock, one: Transaction): readonly Transaction[] {
  const place = waiters.findIndex(({ by }) => by === one)
  const before = waiters.slice(0, place).map(({ by }) => by)
  return [...holders, ...before].filter((other) => other !== one)
}
