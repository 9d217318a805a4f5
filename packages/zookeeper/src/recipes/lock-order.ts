import type { Bytes } from '../node.ts'

/** A queue: the children of a folder, and the order that decides which of them hold the lock. */
export interface LockQueue extends QueueEntry {
  /** The name of the lock in errors, such as `the lock /a`. */
  readonly what: string
  readonly order: LockOrder
  /** How many nodes hold the lock at a time. Default 1. */
  readonly permits?: number
  /** Checks that all clients of the queue use the same order; called while a node is in the queue, and rejects if not. */
  readonly verify?: ((signal: AbortSignal) => Promise<void>) | undefined
}

/** The node of one client in a queue. */
export interface QueueEntry {
  /** The parent of the queue. It is created when it is missing; the servers remove it when the queue is empty. */
  readonly folder: string
  /** The kind of the node, as in {@link Contender.kind}. */
  readonly kind: string
  readonly data: Bytes
}

/** The position of one node in a queue. */
export type QueuePosition =
  /** The node holds the lock. */
  | { readonly kind: 'granted' }
  /** `ahead` nodes are in the way; the lock cannot be granted before one of `predecessors` is deleted. */
  | { readonly kind: 'waiting'; readonly ahead: number; readonly predecessors: readonly string[] }
  /** A node behind this one has a higher priority: this one moves to the end of the queue. */
  | { readonly kind: 'requeue' }
  /** The node is not in the queue any more. */
  | { readonly kind: 'missing' }

/** Decides the position of a node by the nodes before and behind it. */
export type LockOrder = (
  before: readonly Contender[],
  own: Contender,
  behind: readonly Contender[],
) => QueuePosition

/** The position of the node `name` among the children of a folder. */
export function positionOf(names: readonly string[], name: string, order: LockOrder): QueuePosition {
  const contenders = contendersIn(names)
  const index = contenders.findIndex((contender) => contender.name === name)
  const own = contenders[index]
  if (own === undefined) return { kind: 'missing' }
  return order(contenders.slice(0, index), own, contenders.slice(index + 1))
}

/** One holder, first come, first served. Each node watches the one before it, so that a release wakes one client. */
export const exclusive: LockOrder = (before) => waitFor(before, 1)

/** Shared with others of its kind, behind every earlier `write`: the node watches the last of these. */
export const shared: LockOrder = (before) =>
  waitFor(
    before.filter(({ kind }) => kind === 'write'),
    1,
  )

/**
 * At most `permits` holders. Of the nodes before this one, at least one of any `permits` must be deleted first: the
 * nearest ones are watched, so that a release wakes at most `permits` clients, however long the queue is.
 */
export function upToPermits(permits: number): LockOrder {
  return (before) => (before.length < permits ? granted : waitFor(before, permits))
}

/** One holder; of the waiting nodes, the one with the highest priority is next. A holder is not preempted. */
export const byPriority: LockOrder = (before, own, behind) => {
  const position = exclusive(before, own, behind)
  const priority = priorityOf(own)
  return position.kind === 'granted' && behind.some((contender) => priorityOf(contender) > priority)
    ? { kind: 'requeue' }
    : position
}

/** The kind of a node with a priority. */
export function kindOfPriority(priority: number): string {
  return `rank${priority}`
}

const granted: QueuePosition = { kind: 'granted' }

function waitFor(blocking: readonly Contender[], nearest: number): QueuePosition {
  if (blocking.length === 0) return granted
  const predecessors = blocking.slice(-nearest).map(({ name }) => name)
  return { kind: 'waiting', ahead: blocking.length - nearest + 1, predecessors }
}

function priorityOf({ kind }: Contender): number {
  return Number(/^rank(\d+)$/.exec(kind)?.[1] ?? 0)
}

/** A node of a queue, as parsed from its name. */
interface Contender {
  readonly name: string
  /** One of `lock`, `read`, `write`, `seat`, `part`, or `rank` and a number. */
  readonly kind: string
  /** The server's sequence number: it grows with each child that is created in the folder. */
  readonly sequence: number
}

// The client's mark precedes the kind. The server formats the number as `%010d`: at least ten characters, including a
// minus sign.
const pattern = /(?:^|-)([a-z]+\d*)-(\d{10}|-\d{9,10})$/

/** The nodes of the queue in a folder, first come first. Other children are left out. */
export function contendersIn(names: readonly string[]): readonly Contender[] {
  return names.flatMap(parseName).sort(bySequence)
}

/** The part of a name that precedes the server's number. */
export function nodePrefix(kind: string): string {
  return `${kind}-`
}

function parseName(name: string): readonly Contender[] {
  const [, kind, sequence] = pattern.exec(name) ?? []
  return kind === undefined ? [] : [{ name, kind, sequence: Number(sequence) }]
}

// The number is a 32-bit integer that wraps around after the highest value: the signed distance gives the order.
function bySequence(a: Contender, b: Contender): number {
  return (a.sequence - b.sequence) | 0
}
