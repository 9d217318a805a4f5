/** The delay before a repetition, in milliseconds; `round` 0 is the first one. */
export type Backoff = (round: number, random: () => number) => number

export interface FullJitter {
  /** The upper bound of the first delay, in milliseconds. */
  readonly baseMs: number
  /** The upper bound of every delay, in milliseconds. */
  readonly maxMs: number
}

/**
 * Full jitter: a random delay between 0 and `baseMs` doubled each round, at most `maxMs`. Of the usual back-offs it makes
 * many clients that lost the same server do the least work.
 */
export function fullJitter({ baseMs, maxMs }: FullJitter): Backoff {
  return (round, random) => random() * Math.min(maxMs, baseMs * 2 ** Math.min(round, 30))
}
