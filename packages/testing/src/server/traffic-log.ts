import type { Clock } from '@ha/core'
import { HaError } from '@ha/core'
import { type Deferred, deferred, withDeadline } from '@ha/core/driver'

/** When something was noted. */
export interface Logged {
  readonly atMs: number
}

/** How a protocol's log is read: `S` what is noted, `P` a pattern of entries, `D` what a client does. */
export interface LogFormat<S, P, D> {
  /** What the entries are called when they are missing, such as `commands`. */
  readonly name: string
  readonly operationOf: (entry: S) => D
  /** Whether an entry agrees in everything that is given. */
  readonly isMatch: (pattern: P, entry: S) => boolean
  /** A pattern as JSON can say it. */
  readonly printable: (pattern: P) => object
}

interface Waiter<E, P> {
  readonly pattern: P
  readonly count: number
  readonly seen: Deferred<readonly E[]>
}

/** What all clients did, in the order in which the nodes saw it. */
export class TrafficLog<S extends object, P, D> {
  readonly #clock: Clock
  readonly #format: LogFormat<S, P, D>
  #entries: (Logged & S)[] = []
  #waiters: readonly Waiter<Logged & S, P>[] = []

  constructor(clock: Clock, reading: LogFormat<S, P, D>) {
    this.#clock = clock
    this.#format = reading
  }

  /** The entries that fit, the oldest first; all of them without a pattern. */
  entries(pattern?: P): readonly (Logged & S)[] {
    return this.#entries.filter((entry) => pattern === undefined || this.#format.isMatch(pattern, entry))
  }

  /** How many entries fit. */
  count(pattern?: P): number {
    return this.entries(pattern).length
  }

  /** The deeds that fit: the order on the wire. */
  operations(pattern?: P): readonly D[] {
    return this.entries(pattern).map(this.#format.operationOf)
  }

  /**
   * Resolves with the entries that fit as soon as there are `count`, default 1; rejects with `timed-out` when there are
   * not within `timeoutMs`, default 5000.
   */
  until(
    pattern: P,
    options: { readonly count?: number; readonly timeoutMs?: number } = {},
  ): Promise<readonly (Logged & S)[]> {
    const { count = 1, timeoutMs = 5_000 } = options
    if (this.count(pattern) >= count) return Promise.resolve(this.entries(pattern))
    const waiter: Waiter<Logged & S, P> = { pattern, count, seen: deferred() }
    this.#waiters = [...this.#waiters, waiter]
    const expired = (): Error => this.#timedOut(waiter, timeoutMs)
    return withDeadline(this.#clock, { timeoutMs, expired }, () => waiter.seen.promise)
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries = []
  }

  /** Notes what a client did. */
  add(said: S): void {
    const entry = { atMs: this.#clock.now(), ...said }
    this.#entries.push(entry)
    for (const waiter of this.#waiters) if (this.#format.isMatch(waiter.pattern, entry)) this.#resolve(waiter)
  }

  #resolve(waiter: Waiter<Logged & S, P>): void {
    if (this.count(waiter.pattern) < waiter.count) return
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    waiter.seen.resolve(this.entries(waiter.pattern))
  }

  #timedOut(waiter: Waiter<Logged & S, P>, timeoutMs: number): Error {
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    const { pattern, count } = waiter
    const { name, printable: plain } = this.#format
    const seen = `${this.count(pattern)} of ${count} ${name} ${JSON.stringify(plain(pattern))}`
    return new HaError('timed-out', `${seen} within ${timeoutMs} ms`)
  }
}
