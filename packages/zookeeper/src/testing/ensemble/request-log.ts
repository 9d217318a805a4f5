import { type Clock, type Gate, gate, HaError, withDeadline } from '@ha/core'
import type { Fate } from '../conversation/exchange.ts'
import type { Deed } from '../script/rule.ts'
import type { ConnectRequest } from '../wire/connect.ts'
import type { Request } from '../wire/request.ts'

/** One thing that a client did and that arrived wholly, or was cut short by a rule. */
export interface LogEntry {
  readonly atMs: number
  /** The number of the node, from 1. */
  readonly node: number
  /** The number of the connection, from 1, in the order in which the nodes together accepted them. */
  readonly connection: number
  /** 0 before there is one. */
  readonly session: bigint
  readonly op: Deed
  /** The paths that it is about: none, one, or those of the parts of a multi. */
  readonly paths: readonly string[]
  /** Its number; 0 for what has none. */
  readonly xid: number
  /** How many bytes its frame had. */
  readonly bytes: number
  /** What it said, word for word; undefined for `accept`. */
  readonly said: Request | ConnectRequest | undefined
  /** Whether the server did it, a rule answered it, or it was lost before the server looked at it. */
  readonly fate: Fate
}

/** Which entries: those that agree in everything that is given; `path` may be a pattern, and any of the paths. */
export type LogPattern = Partial<
  Pick<LogEntry, 'node' | 'connection' | 'session' | 'op' | 'xid' | 'fate'>
> & {
  readonly path?: string | RegExp
}

interface Waiter {
  readonly pattern: LogPattern
  readonly count: number
  readonly seen: Gate<readonly LogEntry[]>
}

/** What all clients did, in the order in which the nodes saw it. */
export class RequestLog {
  readonly #clock: Clock
  #entries: LogEntry[] = []
  #waiters: readonly Waiter[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The entries that fit, the oldest first; all of them without a pattern. */
  entries(pattern: LogPattern = {}): readonly LogEntry[] {
    return this.#entries.filter((entry) => isFit(pattern, entry))
  }

  /** How many entries fit. */
  count(pattern: LogPattern = {}): number {
    return this.entries(pattern).length
  }

  /** The deeds in order, such as `['connect', 'auth', 'set-watches', 'get-data']`: the order on the wire. */
  deeds(pattern: LogPattern = {}): readonly Deed[] {
    return this.entries(pattern).map((entry) => entry.op)
  }

  /** Resolves with the entries that fit as soon as there are so many; rejects with `timed-out` when there are not in time. */
  until(
    pattern: LogPattern,
    options: { readonly count?: number; readonly timeoutMs?: number } = {},
  ): Promise<readonly LogEntry[]> {
    const { count = 1, timeoutMs = 5_000 } = options
    if (this.count(pattern) >= count) return Promise.resolve(this.entries(pattern))
    const waiter: Waiter = { pattern, count, seen: gate() }
    this.#waiters = [...this.#waiters, waiter]
    const expired = (): Error => this.#notSeen(waiter, timeoutMs)
    return withDeadline(this.#clock, { timeoutMs, expired }, () => waiter.seen.promise)
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries = []
  }

  /** Notes what a client did. */
  add(entry: Omit<LogEntry, 'atMs'>): void {
    const noted = { atMs: this.#clock.now(), ...entry }
    this.#entries.push(noted)
    for (const waiter of this.#waiters) if (isFit(waiter.pattern, noted)) this.#tell(waiter)
  }

  #tell(waiter: Waiter): void {
    if (this.count(waiter.pattern) < waiter.count) return
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    waiter.seen.resolve(this.entries(waiter.pattern))
  }

  #notSeen(waiter: Waiter, timeoutMs: number): Error {
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    const { pattern, count } = waiter
    const { path, session, ...others } = pattern
    const wanted = JSON.stringify({ ...others, path: path?.toString(), session: session?.toString(16) })
    return new HaError(
      'timed-out',
      `${this.count(pattern)} of ${count} requests ${wanted} within ${timeoutMs} ms`,
    )
  }
}

const exactKeys = ['node', 'connection', 'session', 'op', 'xid', 'fate'] as const

function isFit(pattern: LogPattern, entry: LogEntry): boolean {
  if (exactKeys.some((key) => pattern[key] !== undefined && pattern[key] !== entry[key])) return false
  const { path } = pattern
  if (path === undefined) return true
  return entry.paths.some((each) => (typeof path === 'string' ? path === each : path.test(each)))
}
