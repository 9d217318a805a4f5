import type { Bytes } from '../node.ts'

/** Whose turn it is, for one place in a line. */
export type QueuePosition =
  | { readonly kind: 'ours' }
  /** `ahead` are in the way; it cannot become our turn before one of `watched` has gone. */
  | { readonly kind: 'behind'; readonly ahead: number; readonly watched: readonly string[] }
  /** It would be ours, but somebody behind us goes before us: we stand at the end of the line again. */
  | { readonly kind: 'yield' }
  /** Our place is not in the line any more. */
  | { readonly kind: 'gone' }

/** The turn of one place, by who stands before and behind it. */
export type LockOrder = (
  before: readonly Contender[],
  own: Contender,
  behind: readonly Contender[],
) => QueuePosition

/** Whose turn it is, for the place `name` among the children of a folder. */
export function positionOf(names: readonly string[], name: string, rule: LockOrder): QueuePosition {
  const line = contendersIn(names)
  const index = line.findIndex((ticket) => ticket.name === name)
  const own = line[index]
  if (own === undefined) return { kind: 'gone' }
  return rule(line.slice(0, index), own, line.slice(index + 1))
}

/** One at a time, first come, first served. Each watches the one before it, so that a release wakes one. */
export const exclusive: LockOrder = (before) => waitFor(before, 1)

/** Together with others of its kind, behind every `write` that came first: it watches the last of these. */
export const shared: LockOrder = (before) =>
  waitFor(
    before.filter(({ kind }) => kind === 'write'),
    1,
  )

/**
 * `seats` at a time. Who is in the way are those beyond the seats, and of any `seats` before us one must go first: the
 * nearest are watched, so that a release wakes no more than that many, however long the line is.
 */
export function upToPermits(seats: number): LockOrder {
  return (before) => (before.length < seats ? granted : waitFor(before, seats))
}

/** One at a time; among those who wait, the highest rank goes first. Who has had its turn is not pushed aside. */
export const byPriority: LockOrder = (before, own, behind) => {
  const turn = exclusive(before, own, behind)
  const rank = priorityOf(own)
  return turn.kind === 'ours' && behind.some((ticket) => priorityOf(ticket) > rank) ? { kind: 'yield' } : turn
}

/** The kind of a place with a rank. */
export function kindOfPriority(rank: number): string {
  return `rank${rank}`
}

const granted: QueuePosition = { kind: 'ours' }

function waitFor(blocking: readonly Contender[], nearest: number): QueuePosition {
  if (blocking.length === 0) return granted
  const watched = blocking.slice(-nearest).map(({ name }) => name)
  return { kind: 'behind', ahead: blocking.length - nearest + 1, watched }
}

function priorityOf({ kind }: Contender): number {
  return Number(/^rank(\d+)$/.exec(kind)?.[1] ?? 0)
}

/** A place in a line, as far as its name tells. */
interface Contender {
  readonly name: string
  /** What it is there for: `lock`, `read`, `write`, `seat`, `part`, or `rank` and a number. */
  readonly kind: string
  /** The number that the server gave it: of the folder's changes, so it grows with each child made. */
  readonly sequence: number
}

// What stands before the kind is the client's mark. The server writes its number with ten characters at the least, the
// sign among them.
const pattern = /(?:^|-)([a-z]+\d*)-(\d{10}|-\d{9,10})$/

/** Those who stand in line below a folder, the first one first. Children that are none of a line's are not in it. */
export function contendersIn(names: readonly string[]): readonly Contender[] {
  return names.flatMap(parseName).sort(bySequence)
}

/** The part of a name that the server puts its number behind. */
export function nodePrefix(kind: string): string {
  return `${kind}-`
}

function parseName(name: string): readonly Contender[] {
  const [, kind, sequence] = pattern.exec(name) ?? []
  return kind === undefined ? [] : [{ name, kind, sequence: Number(sequence) }]
}

// The number is one of 32 bits and goes on with the lowest after the highest: what counts is the distance.
function bySequence(a: Contender, b: Contender): number {
  return (a.sequence - b.sequence) | 0
}

/** Where somebody stands in line, and what for. */
export interface QueueEntry {
  /** The node below which the line is. It is made when it is missing; the servers remove it when nobody stands there. */
  readonly folder: string
  /** What it is there for, as in a ticket. */
  readonly kind: string
  readonly data: Bytes
}

/** A line that is waited in, and the rule by which it moves. */
export interface LockQueue extends QueueEntry {
  /** What is waited for, in the words of an error: `the lock /a`. */
  readonly what: string
  readonly order: LockOrder
  /** Makes sure that all who stand in it go by the same rule: asked by those who stand there, and rejects if not. */
  readonly verify?: ((signal: AbortSignal) => Promise<void>) | undefined
}
