import { type Clock, type Gate, gate, withDeadline } from '@ha/core'
import { refusals } from './refusals.ts'
import type { Table } from './table.ts'
import type { Transaction } from './transaction.ts'

interface Waiter {
  readonly by: Transaction
  readonly granted: Gate<void>
}

interface Lock {
  owner: Transaction
  /** How far the node had come when the owner took it. */
  takenAt: number
  waiters: readonly Waiter[]
}

/** How long a lock is waited for. */
export interface LockLimit {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** The row locks of one node: who changes a row keeps the others from it until it is done. */
export class Locks {
  readonly #clock: Clock
  readonly #applied: () => number
  readonly #locks = new Map<Table, Map<string, Lock>>()

  constructor(clock: Clock, applied: () => number) {
    this.#clock = clock
    this.#applied = applied
  }

  /** Gives a lock, at once or when its owner is done; refuses with 1205 after `timeoutMs`, with 1213 in a circle. */
  async acquire(table: Table, key: string, by: Transaction, limit: LockLimit): Promise<void> {
    const rows = this.#locks.get(table) ?? new Map<string, Lock>()
    this.#locks.set(table, rows)
    const lock = rows.get(key)
    if (lock === undefined) rows.set(key, { owner: by, takenAt: this.#applied(), waiters: [] })
    else if (lock.owner !== by) await this.#wait(lock, by, limit)
  }

  /** Another node has changed rows that are held here: their owners lose. */
  doomOvertaken(): void {
    const applied = this.#applied()
    for (const [table, rows] of this.#locks) {
      for (const [key, { owner, takenAt }] of rows) {
        const changedAt = table.changedAt(key)
        if (changedAt > takenAt && changedAt <= applied) this.#doom(owner)
      }
    }
  }

  /** A transaction is over: its locks go to those who wait. */
  end(transaction: Transaction): void {
    for (const rows of this.#locks.values()) {
      for (const [key, lock] of rows) {
        if (lock.owner === transaction) this.#pass(rows, key, lock)
        else this.#dismiss(lock, transaction)
      }
    }
  }

  #doom(owner: Transaction): void {
    owner.doom()
    this.end(owner)
  }

  #pass(rows: Map<string, Lock>, key: string, lock: Lock): void {
    const [next, ...others] = lock.waiters
    if (next === undefined) {
      rows.delete(key)
      return
    }
    lock.owner = next.by
    lock.takenAt = this.#applied()
    lock.waiters = others
    next.granted.resolve()
  }

  #dismiss(lock: Lock, transaction: Transaction): void {
    for (const waiter of lock.waiters) {
      if (waiter.by === transaction) waiter.granted.reject(refusals.deadlock())
    }
    lock.waiters = lock.waiters.filter((waiter) => waiter.by !== transaction)
  }

  async #wait(lock: Lock, by: Transaction, limit: LockLimit): Promise<void> {
    if (this.#isCircle(lock.owner, by)) throw refusals.deadlock()
    const waiter: Waiter = { by, granted: gate() }
    lock.waiters = [...lock.waiters, waiter]
    try {
      await withDeadline(this.#clock, { ...limit, expired: refusals.lockWait }, () => waiter.granted.promise)
    } finally {
      lock.waiters = lock.waiters.filter((other) => other !== waiter)
    }
  }

  // Whether an owner waits, over however many others, for the one that is about to wait for it.
  #isCircle(owner: Transaction, by: Transaction): boolean {
    if (owner === by) return true
    const awaited = [...this.#all()].filter((lock) => lock.waiters.some((waiter) => waiter.by === owner))
    return awaited.some((lock) => this.#isCircle(lock.owner, by))
  }

  *#all(): Iterable<Lock> {
    for (const rows of this.#locks.values()) yield* rows.values()
  }
}
