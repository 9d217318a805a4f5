/** A place in a line, as far as its name tells. */
export interface Ticket {
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
export function lineOf(names: readonly string[]): readonly Ticket[] {
  return names.flatMap(ticketsOf).sort(inOrder)
}

/** The part of a name that the server puts its number behind. */
export function prefixOf(kind: string): string {
  return `${kind}-`
}

function ticketsOf(name: string): readonly Ticket[] {
  const [, kind, sequence] = pattern.exec(name) ?? []
  return kind === undefined ? [] : [{ name, kind, sequence: Number(sequence) }]
}

// The number is one of 32 bits and goes on with the lowest after the highest: what counts is the distance.
function inOrder(a: Ticket, b: Ticket): number {
  return (a.sequence - b.sequence) | 0
}
