/** How long to wait before round `round` (0 is the first repetition). */
export type Backoff = (round: number, random: () => number) => number

export interface FullJitter {
  /** The widest first wait, in milliseconds. */
  readonly baseMs: number
  /** The widest wait of all, in milliseconds. */
  readonly maxMs: number
}

/**
 * Waits a random time between nothing and `baseMs` doubled each round, at most `maxMs`. Of the known shapes this
 * one makes a crowd of clients do the least work when all of them lost the same server.
 */
export function fullJitter({ baseMs, maxMs }: FullJitter): Backoff {
  return (round, random) => random() * Math.min(maxMs, baseMs * 2 ** Math.min(round, 30))
}
