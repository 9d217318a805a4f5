import { type Clock, HaError } from '@ha/core'
import { type Deferred, deferred, withDeadline } from '@ha/core/driver'
import type { Side } from '../../server/rules.ts'
import { plainTable } from '../wire/field-tables.ts'
import { type Frame, type FrameName, frameName } from '../wire/frames.ts'

/** One frame that was received or sent. */
export interface LogEntry {
  readonly atMs: number
  /** Who sent it. */
  readonly from: Side
  /** The number of the node, from 1. */
  readonly node: number
  /** The number of the connection, from 1, in the order in which the cluster accepted them. */
  readonly connection: number
  readonly channel: number
  readonly frame: FrameName
  /** The fields of a method as plain values; of content its length as `bytes`. Passwords are not kept. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** Which entries: those that agree in everything that is given. */
export type LogPattern = Partial<Pick<LogEntry, 'from' | 'node' | 'connection' | 'channel' | 'frame'>>

/** Where a frame was seen. */
export type Sighting = Pick<LogEntry, 'from' | 'node' | 'connection'>

interface Waiter {
  readonly pattern: LogPattern
  readonly count: number
  missing: number
  readonly seen: Deferred<readonly LogEntry[]>
}

/** The frames of all connections in the order in which the cluster saw them; the oldest are forgotten when there are too many. */
export class FrameLog {
  readonly #clock: Clock
  readonly #maxEntries: number
  #entries: LogEntry[] = []
  #forgotten = 0
  #waiters: readonly Waiter[] = []

  constructor(clock: Clock, maxEntries: number) {
    this.#clock = clock
    this.#maxEntries = maxEntries
  }

  /** How many entries were forgotten. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** The entries that fit, the oldest first; all of them without a pattern. */
  entries(pattern: LogPattern = {}): readonly LogEntry[] {
    return this.#entries.filter((entry) => isFit(pattern, entry))
  }

  /** Resolves with the entries that fit as soon as there are so many; rejects with `timed-out` when there are not in time. */
  until(
    pattern: LogPattern,
    options: { readonly count?: number; readonly timeoutMs?: number } = {},
  ): Promise<readonly LogEntry[]> {
    const { count = 1, timeoutMs = 5_000 } = options
    const missing = count - this.entries(pattern).length
    const waiter: Waiter = { pattern, count, missing, seen: deferred() }
    if (missing <= 0) return Promise.resolve(this.entries(pattern))
    this.#waiters = [...this.#waiters, waiter]
    const expired = (): Error => this.#notSeen(waiter, timeoutMs)
    return withDeadline(this.#clock, { timeoutMs, expired }, () => waiter.seen.promise)
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries = []
    this.#forgotten = 0
  }

  /** Notes a frame. */
  add(sighting: Sighting, frame: Frame): void {
    const { channel } = frame
    const fields = fieldsOf(frame)
    const entry = { atMs: this.#clock.now(), ...sighting, channel, frame: frameName(frame), fields }
    this.#entries.push(entry)
    // Many at once, so that it costs little each time.
    const surplus = this.#entries.length - this.#maxEntries
    if (surplus > this.#maxEntries) this.#forgotten += this.#entries.splice(0, surplus).length
    for (const waiter of this.#waiters) this.#tell(waiter, entry)
  }

  #tell(waiter: Waiter, entry: LogEntry): void {
    if (!isFit(waiter.pattern, entry)) return
    waiter.missing -= 1
    if (waiter.missing > 0) return
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    waiter.seen.resolve(this.entries(waiter.pattern))
  }

  #notSeen(waiter: Waiter, timeoutMs: number): Error {
    this.#waiters = this.#waiters.filter((other) => other !== waiter)
    const { pattern, count } = waiter
    const found = this.entries(pattern).length
    return new HaError(
      'timed-out',
      `${found} of ${count} frames ${JSON.stringify(pattern)} within ${timeoutMs} ms`,
    )
  }
}

function isFit(pattern: LogPattern, entry: LogEntry): boolean {
  return (
    (pattern.frame === undefined || pattern.frame === entry.frame) &&
    (pattern.from === undefined || pattern.from === entry.from) &&
    (pattern.connection === undefined || pattern.connection === entry.connection) &&
    (pattern.channel === undefined || pattern.channel === entry.channel) &&
    (pattern.node === undefined || pattern.node === entry.node)
  )
}

function fieldsOf(frame: Frame): Readonly<Record<string, unknown>> {
  switch (frame.kind) {
    case 'method':
      return plainFields(frame.method.fields)
    case 'content-header':
      return { bytes: frame.bodyBytes }
    case 'content-body':
      return { bytes: frame.bytes.length }
    case 'protocol-header':
    case 'heartbeat':
      return {}
  }
}

// What a log-in and a renewed secret carry.
const secretFields: readonly string[] = ['response', 'newSecret']

function plainFields(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const plain: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (secretFields.includes(name)) continue
    plain[name] = value instanceof Map ? plainTable(value) : value
  }
  return plain
}
