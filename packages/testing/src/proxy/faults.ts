import { HaError } from '@ha/core'
import { didYouMean } from '@ha/core/driver'

/** Which way bytes flow: `up` from the client to the server, `down` from the server to the client. */
export type Direction = 'up' | 'down'

/**
 * When a fault begins: after so many bytes have passed this way or so many milliseconds have gone by, whichever is
 * first; at once when neither is given. Counted from the moment the fault is set, and on a connection that is
 * accepted later from its first byte and its accept.
 */
export interface Onset {
  readonly afterBytes?: number
  readonly afterMs?: number
}

/**
 * Every byte, and the end, arrives later. Bytes never overtake each other, so jitter can only hold the next ones up.
 */
export interface Latency {
  readonly kind: 'latency'
  readonly delayMs: number
  /** Up to this much more, drawn from the seed for each chunk that is read. Default 0. */
  readonly jitterMs?: number
}

/** Limited bandwidth: a token bucket that fills at this rate. */
export interface Bandwidth {
  readonly kind: 'bandwidth'
  readonly bytesPerSecond: number
  /** What a full bucket lets through at once. Default 50 ms worth, which hides that timers are late. */
  readonly burstBytes?: number
}

/**
 * Silence with the socket open. `stop-reading` is a frozen process: the sender's writes fill the kernel's window and
 * then wait, and after healing nothing is missing. `discard` is a wedged process or a one-way drop: every byte is
 * acknowledged, and gone.
 */
export interface Blackhole extends Onset {
  readonly kind: 'blackhole'
  readonly how: 'stop-reading' | 'discard'
}

/**
 * How a connection is cut. `close` ends both sides as the kernel does for a process that died; `reset` sends both an
 * RST; `end` sends a FIN this way only and leaves the other way open.
 */
export type CutHow = 'end' | 'close' | 'reset'

/**
 * The connection is cut, behind exactly `afterBytes` when they are given. What the receiver's kernel has not taken by
 * then is delivered by `close` and lost by `reset`. A Node receiver that finds the last bytes and the RST at once sees
 * a FIN; the proxy sends the RST later, but cannot make a busy receiver read in between.
 */
export interface Cut extends Onset {
  readonly kind: 'cut'
  readonly how: CutHow
}

/**
 * The end of the sender, FIN or RST, is never passed on: the receiver keeps the connection. Set one way, the other way's
 * end still passes. The proxy keeps the sockets until `heal()`, `cut()` or `close()`.
 */
export interface HalfOpen {
  readonly kind: 'half-open'
}

/** The end of the sender, FIN or RST, is passed on this much later. */
export interface SlowClose {
  readonly kind: 'slow-close'
  readonly delayMs: number
}

/** Bytes arrive in small pieces. */
export interface Slice {
  readonly kind: 'slice'
  readonly maxBytes: number
  /** Each piece has between this many and `maxBytes`, drawn from the seed. Default `maxBytes`. */
  readonly minBytes?: number
  /**
   * The pause after each piece. Default 0: one piece for each turn of the event loop, which a receiver in this
   * process reads one by one; for one in another process, whose kernel may join them, give at least 1.
   */
  readonly gapMs?: number
}

/** Bytes arrive in large pieces: they wait until there are enough of them, or for so long, or for the end. */
export interface Coalesce {
  readonly kind: 'coalesce'
  readonly minBytes: number
  readonly maxWaitMs: number
}

/** One byte arrives changed: the one behind the first `afterBytes`. */
export interface Corrupt {
  readonly kind: 'corrupt'
  readonly afterBytes: number
  /** The bits to turn. Default 255: all of them, so that it is never the byte that was sent. */
  readonly xor?: number
}

/** One byte arrives twice: the one behind the first `afterBytes`. */
export interface Duplicate {
  readonly kind: 'duplicate'
  readonly afterBytes: number
}

/** A fault of one direction of a connection. A direction has any number of kinds, each at most once. */
export type Fault =
  | Latency
  | Bandwidth
  | Blackhole
  | Cut
  | HalfOpen
  | SlowClose
  | Slice
  | Coalesce
  | Corrupt
  | Duplicate

/** The faults of both directions: one that is named is replaced as a whole, one that is left out stays as it is. */
export interface Faults {
  readonly up?: readonly Fault[]
  readonly down?: readonly Fault[]
}

/** The same faults in both directions. */
export function bothWays(...faults: readonly Fault[]): Required<Faults> {
  return { up: faults, down: faults }
}

/** No fault in either direction. */
export const noFaults: Required<Faults> = bothWays()

interface FieldRule {
  readonly expected: string
  readonly required: boolean
  holds(value: unknown): boolean
}

type FieldRules = {
  readonly [K in Fault['kind']]: {
    readonly [Field in Exclude<keyof Extract<Fault, { kind: K }>, 'kind'>]-?: FieldRule
  }
}

const ms = atLeast(0, 'a number of milliseconds, 0 or more')
const position = whole(0, Number.MAX_SAFE_INTEGER, 'a whole number of bytes, 0 or more')
const size = whole(1, Number.MAX_SAFE_INTEGER, 'a whole number of bytes, 1 or more')
const onset = { afterBytes: optional(position), afterMs: optional(ms) }

const rules: FieldRules = {
  latency: { delayMs: ms, jitterMs: optional(ms) },
  bandwidth: { bytesPerSecond: size, burstBytes: optional(size) },
  blackhole: { how: oneOf('stop-reading', 'discard'), ...onset },
  cut: { how: oneOf('end', 'close', 'reset'), ...onset },
  'half-open': {},
  'slow-close': { delayMs: ms },
  slice: { maxBytes: size, minBytes: optional(size), gapMs: optional(ms) },
  coalesce: { minBytes: size, maxWaitMs: ms },
  corrupt: { afterBytes: position, xor: optional(whole(1, 255, 'the bits to turn, 1 to 255')) },
  duplicate: { afterBytes: position },
}

const directions = ['up', 'down']

/** Throws `config-invalid` at the first invalid fault. */
export function checkFaults(faults: Faults): void {
  for (const [direction, list] of Object.entries(faults)) {
    if (!directions.includes(direction)) throw invalid(`faults have no '${direction}', only 'up' and 'down'`)
    const seen = new Set<string>()
    for (const [index, fault] of list.entries()) {
      const path = `${direction}[${index}]`
      checkKind(path, fault, seen)
      checkFields(path, fault)
    }
  }
}

function checkKind(path: string, fault: Fault, seen: Set<string>): void {
  const kinds = Object.keys(rules)
  if (!kinds.includes(fault.kind)) {
    throw invalid(`${path}.kind '${fault.kind}' is no fault${didYouMean(fault.kind, kinds)}`)
  }
  if (seen.has(fault.kind)) throw invalid(`${path}: '${fault.kind}' is given twice for one direction`)
  seen.add(fault.kind)
}

function checkFields(path: string, fault: Fault): void {
  const fields: Readonly<Record<string, FieldRule>> = rules[fault.kind]
  const given: Readonly<Record<string, unknown>> = { ...fault }
  for (const name of Object.keys(given)) {
    if (name !== 'kind' && !(name in fields)) {
      throw invalid(`${path} (${fault.kind}) has no '${name}'${didYouMean(name, Object.keys(fields))}`)
    }
  }
  for (const [name, rule] of Object.entries(fields)) {
    const value = given[name]
    if (value === undefined ? rule.required : !rule.holds(value)) {
      throw invalid(`${path}.${name} (${fault.kind}) is ${String(value)}, expected ${rule.expected}`)
    }
  }
  if (fault.kind === 'slice' && fault.minBytes !== undefined && fault.minBytes > fault.maxBytes) {
    throw invalid(`${path}.minBytes (slice) is ${fault.minBytes}, more than its maxBytes ${fault.maxBytes}`)
  }
}

function invalid(message: string): HaError {
  return new HaError('config-invalid', `fault proxy: ${message}`)
}

function atLeast(least: number, expected: string): FieldRule {
  return { expected, required: true, holds: (value) => Number.isFinite(value) && Number(value) >= least }
}

function whole(least: number, most: number, expected: string): FieldRule {
  const holds = (value: unknown): boolean =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
  return { expected, required: true, holds }
}

function oneOf(...words: readonly string[]): FieldRule {
  const expected = words.map((word) => `'${word}'`).join(' or ')
  return { expected, required: true, holds: (value) => words.some((word) => word === value) }
}

function optional(rule: FieldRule): FieldRule {
  return { ...rule, required: false }
}
