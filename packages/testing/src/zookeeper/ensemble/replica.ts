import type { Clock } from '@ha/core'
import { type Deferred, deferred, timerGrainMs } from '@ha/core/driver'
import { DataTree, type Txn } from '../tree/data-tree.ts'
import { Watches } from '../tree/watches.ts'

/** What a replica needs from its node. */
export interface ReplicaDeps {
  readonly clock: Clock
  /** All committed transactions. */
  readonly log: () => readonly Txn[]
  /** Whether the node receives transactions now. */
  readonly isFollowing: () => boolean
  readonly onApplied: (txn: Txn) => void
}

interface Waiter {
  readonly zxid: bigint
  readonly reached: Deferred<void>
}

/** The state of one node: the tree after the transactions that it has applied, and the watches of its clients. */
export class Replica {
  readonly tree: DataTree = new DataTree()
  readonly watches: Watches = new Watches()
  readonly #deps: ReplicaDeps
  #at = 0
  #lagMs = 0
  #waiters: readonly Waiter[] = []
  #cancel: (() => void) | undefined

  constructor(deps: ReplicaDeps) {
    this.#deps = deps
  }

  /** How long after the commit it applies a transaction. `Infinity`: not before this changes. */
  get lagMs(): number {
    return this.#lagMs
  }

  set lagMs(lagMs: number) {
    this.#lagMs = lagMs
    this.follow()
  }

  /** Applies what is due. */
  follow(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (!this.#deps.isFollowing()) return
    const nowMs = this.#deps.clock.now()
    for (let txn = this.#next(); txn !== undefined; txn = this.#next()) {
      const waitMs = txn.atMs + this.#lagMs - nowMs
      if (waitMs >= timerGrainMs) {
        this.#followIn(waitMs)
        return
      }
      this.#apply(txn)
    }
  }

  /** Applies all transactions, whatever its lag: a node does so when it joins a quorum. */
  catchUp(): void {
    for (let txn = this.#next(); txn !== undefined; txn = this.#next()) this.#apply(txn)
  }

  /** Resolves when it has applied this transaction. */
  applied(zxid: bigint): Promise<void> {
    if (this.tree.lastZxid >= zxid) return Promise.resolve()
    const waiter = { zxid, reached: deferred() }
    this.#waiters = [...this.#waiters, waiter]
    return waiter.reached.promise
  }

  /** Stops its timer. */
  end(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #next(): Txn | undefined {
    return this.#deps.log()[this.#at]
  }

  #followIn(waitMs: number): void {
    if (Number.isFinite(waitMs)) this.#cancel = this.#deps.clock.after(waitMs, () => this.follow())
  }

  #apply(txn: Txn): void {
    this.#at += 1
    this.tree.apply(txn)
    for (const change of txn.changes) this.watches.trigger(change)
    this.#deps.onApplied(txn)
    const reached = this.#waiters.filter(({ zxid }) => zxid <= txn.zxid)
    if (reached.length === 0) return
    this.#waiters = this.#waiters.filter(({ zxid }) => zxid > txn.zxid)
    for (const waiter of reached) waiter.reached.resolve()
  }
}
