import type { Clock } from '@ha/core'
import { type Deferred, deferred, withDeadline } from '@ha/core/driver'

interface Waiter {
  readonly seqno: number
  readonly reached: Deferred<void>
}

/** How far a node has come with what is committed in its cluster. */
export class Applier {
  readonly #clock: Clock
  readonly #onApplied: () => void
  #received: number
  #applied: number
  #isStopped = false
  #waiters: readonly Waiter[] = []

  constructor(clock: Clock, seqno: number, onApplied: () => void) {
    this.#clock = clock
    this.#onApplied = onApplied
    this.#received = seqno
    this.#applied = seqno
  }

  /** The number of the last commit that readers of this node see. */
  get applied(): number {
    return this.#applied
  }

  /** Whether it holds back what it receives. */
  get isStopped(): boolean {
    return this.#isStopped
  }

  /** A commit has arrived: readers see it now, or when the applier goes on. */
  receive(seqno: number): void {
    this.#received = Math.max(this.#received, seqno)
    if (!this.#isStopped) this.#apply()
  }

  stop(): void {
    this.#isStopped = true
  }

  start(): void {
    this.#isStopped = false
    this.#apply()
  }

  /** Whether readers see a commit, waiting for it at most so long. */
  async hasReached(seqno: number, limit: { timeoutMs: number; signal: AbortSignal }): Promise<boolean> {
    if (this.#applied >= seqno) return true
    if (limit.timeoutMs === 0) return false
    const waiter: Waiter = { seqno, reached: deferred() }
    this.#waiters = [...this.#waiters, waiter]
    const late = new Late()
    try {
      await withDeadline(this.#clock, { ...limit, expired: () => late }, () => waiter.reached.promise)
      return true
    } catch (error) {
      if (error === late) return false
      throw error
    } finally {
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
    }
  }

  #apply(): void {
    this.#applied = this.#received
    this.#onApplied()
    for (const { seqno, reached } of this.#waiters) {
      if (seqno <= this.#applied) reached.resolve()
    }
  }
}

class Late extends Error {}
