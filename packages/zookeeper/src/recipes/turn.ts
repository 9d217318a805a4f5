import { lineOf, type Ticket } from './tickets.ts'

/** Whose turn it is, for one place in a line. */
export type Turn =
  | { readonly kind: 'ours' }
  /** `ahead` are in the way; it cannot become our turn before one of `watched` has gone. */
  | { readonly kind: 'behind'; readonly ahead: number; readonly watched: readonly string[] }
  /** It would be ours, but somebody behind us goes before us: we stand at the end of the line again. */
  | { readonly kind: 'yield' }
  /** Our place is not in the line any more. */
  | { readonly kind: 'gone' }

/** The turn of one place, by who stands before and behind it. */
export type Rule = (before: readonly Ticket[], own: Ticket, behind: readonly Ticket[]) => Turn

/** Whose turn it is, for the place `name` among the children of a folder. */
export function turnOf(names: readonly string[], name: string, rule: Rule): Turn {
  const line = lineOf(names)
  const index = line.findIndex((ticket) => ticket.name === name)
  const own = line[index]
  if (own === undefined) return { kind: 'gone' }
  return rule(line.slice(0, index), own, line.slice(index + 1))
}

/** One at a time, first come, first served. Each watches the one before it, so that a release wakes one. */
export const exclusive: Rule = (before) => behindAnyOf(before, 1)

/** Together with others of its kind, behind every `write` that came first: it watches the last of these. */
export const shared: Rule = (before) =>
  behindAnyOf(
    before.filter(({ kind }) => kind === 'write'),
    1,
  )

/**
 * `seats` at a time. Who is in the way are those beyond the seats, and of any `seats` before us one must go first: the
 * nearest are watched, so that a release wakes no more than that many, however long the line is.
 */
export function seated(seats: number): Rule {
  return (before) => (before.length < seats ? ours : behindAnyOf(before, seats))
}

/** One at a time; among those who wait, the highest rank goes first. Who has had its turn is not pushed aside. */
export const ranked: Rule = (before, own, behind) => {
  const turn = exclusive(before, own, behind)
  const rank = rankOf(own)
  return turn.kind === 'ours' && behind.some((ticket) => rankOf(ticket) > rank) ? { kind: 'yield' } : turn
}

/** The kind of a place with a rank. */
export function kindOfRank(rank: number): string {
  return `rank${rank}`
}

const ours: Turn = { kind: 'ours' }

function behindAnyOf(blocking: readonly Ticket[], nearest: number): Turn {
  if (blocking.length === 0) return ours
  const watched = blocking.slice(-nearest).map(({ name }) => name)
  return { kind: 'behind', ahead: blocking.length - nearest + 1, watched }
}

function rankOf({ kind }: Ticket): number {
  return Number(/^rank(\d+)$/.exec(kind)?.[1] ?? 0)
}
