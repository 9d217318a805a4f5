/** What a counter's node holds: a number, and the mark of the addition that wrote it. */
export interface Content {
  readonly value: number
  readonly mark: string | undefined
}

/** A counter as it was read. */
export interface Reading extends Content {
  /** The transaction that made the node. */
  readonly czxid: bigint
  readonly version: number
}

/** A write whose answer was lost: it was to bring the node, as it was read, to the next version. */
export type Lost = Pick<Reading, 'czxid' | 'version'> | 'creation'

/**
 * What became of it. `open`: it has not happened, and still may; with the same mark again, the one or the other
 * happens, not both. `refused`: somebody else was faster, and it cannot happen any more.
 */
export type Fate = 'done' | 'open' | 'refused' | 'unknown'

/** What a lost write of the addition `mark` has come to, when the counter now looks like this. */
export function fateOf(lost: Lost, mark: string, now: Reading | undefined): Fate {
  if (now === undefined) return lost === 'creation' ? 'open' : 'unknown'
  if (now.mark === mark) return 'done'
  if (lost === 'creation') return now.version === 0 ? 'refused' : 'unknown'
  if (now.czxid !== lost.czxid) return 'unknown'
  if (now.version === lost.version) return 'open'
  // Of those who wrote onto the version that we had read, one won. Whoever wrote onto that hides who it was.
  return now.version === lost.version + 1 ? 'refused' : 'unknown'
}

/** Reads what is written in the node; undefined when that is no number. Other writers need no mark. */
export function contentOf(text: string): Content | undefined {
  const [, digits, mark] = /^(-?\d+)(?: (\S+))?$/.exec(text) ?? []
  const value = Number(digits)
  return digits !== undefined && Number.isSafeInteger(value) ? { value, mark } : undefined
}

/** Writes it: the number first, so that any tool shows it. */
export function textOf({ value, mark }: Content): string {
  return mark === undefined ? String(value) : `${value} ${mark}`
}
