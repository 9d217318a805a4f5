import type { Clock } from '@ha/core'
import { HaError } from '@ha/core'
import { type Deferred, deferred, withDeadline } from '@ha/core/driver'

/** When an entry was logged. */
export interface Logged {
  /** By the clock of the server. */
  readonly atMs: number
}

/** How a protocol's log is read: `S` is what is logged, `P` a pattern of entries, `D` the name of an operation. */
export interface LogFormat<S, P, D> {
  /** What the entries are called in error messages, such as `commands`. */
  readonly name: string
  readonly operationOf: (entry: S) => D
  /** Whether an entry agrees with everything that the pattern gives. */
  readonly isMatch: (pattern: P, entry: S) => boolean
  /** The pattern as JSON can show it. */
  readonly printable: (pattern: P) => object
  /** How many entries are kept at least; the oldest are dropped when there are twice as many. Default: all. */
  readonly maxEntries?: number
}

interface Waiter<E, P> {
  readonly pattern: P
  readonly count: number
  missing: number
  readonly seen: Deferred<readonly E[]>
}

/** What travelled on all connections, in the order in which the nodes saw it. */
export class TrafficLog<S extends object, P, D> {
  readonly #clock: Clock
  readonly #format: LogFormat<S, P, D>
  #entries: (Logged & S)[] = []
  #forgotten = 0
  #waiters: readonly Waiter<Logged & S, P>[] = []

  constructor(clock: Clock, format: LogFormat<S, P, D>) {
    this.#clock = clock
    this.#format = format
  }

  /** How many entries were dropped because there were too many. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** The entries that match, the oldest first; all of them without a pattern. */
  entries(pattern?: P): readonly (Logged & S)[] {
    return this.#entries.filter((entry) => pattern === undefined || this.#format.isMatch(pattern, entry))
  }

  /** How many entries match. */
  count(pattern?: P): number {
    return this.entries(pattern).length
  }

  /** The operations of the entries that match, in the order on the wire. */
  operations(pattern?: P): readonly D[] {
    return this.entries(pattern).map(this.#format.operationOf)
  }

  /**
   * Resolves with the entries that match as soon as there are `count`, default 1; rejects with `timed-out` when there
   * are not within `timeoutMs`, default 5000.
   */
  until(
    pattern: P,
    options: { readonly count?: number; readonly timeoutMs?: number } = {},
  ): Promise<readonly (Logged & S)[]> {
    const { count = 1, timeoutMs = 5_000 } = options
    const missing = count - this.count(pattern)
    if (missing <= 0) return Promise.resolve(this.entries(pattern))
    const waiter: Waiter<Logged & S, P> = { pattern, count, missing, seen: deferred() }
    this.#waiters = [...this.#waiters, waiter]
    const expired = (): Error => this.#timedOut(waiter, timeoutMs)
    return withDeadline(this.#clock, { timeoutMs, expired }, () => waiter.seen.promise)
  }

  /** Drops all entries. */
  clear(): void {
    this.#entries = []
    this.#forgotten = 0
    for (const waiter of this.#waiters) waiter.missing = waiter.count
  }

  /** Adds an entry. */
  add(logged: S): void {
    const entry = { atMs: this.#clock.now(), ...logged }
    this.#entries.push(entry)
    this.#dropSurplus()
    for (const waiter of this.#waiters) if (this.#format.isMatch(waiter.pattern, entry)) this.#resolve(waiter)
  }

  // Many at once, so that it costs little each time.
  #dropSurplus(): void {
    const { maxEntries = Number.POSITIVE_INFINITY } = this.#format
    const surplus = this.#entries.length - maxEntries
    if (surplus > maxEntries) this.#forgotten += this.#entries.splice(0, surplus).length
  }

  #resolve(waiter: Waiter<Logged & S, P>): void {
    waiter.missing -= 1
    if (waiter.missing > 0) return
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    waiter.seen.resolve(this.entries(waiter.pattern))
  }

  #timedOut(waiter: Waiter<Logged & S, P>, timeoutMs: number): Error {
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    const { pattern, count } = waiter
    const { name, printable } = this.#format
    const seen = `${this.count(pattern)} of ${count} ${name} ${JSON.stringify(printable(pattern))}`
    return new HaError('timed-out', `${seen} within ${timeoutMs} ms`)
  }
}
