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

const maxRefusalMs = 60_000
const refusalJitter = 0.1

/**
 * The delay after a refusal: doubled each round from `firstMs` to one minute, up to 10 % less at random. The first is short
 * for a refusal that ends with a restart of the server. People mend permissions, missing objects and conflicts while
 * services run, so what was refused is tried as long as the client lives, in the end once a minute.
 */
export function refusalBackoff(firstMs: number): Backoff {
  return (round, random) =>
    Math.min(maxRefusalMs, firstMs * 2 ** Math.min(round, 30)) * (1 - refusalJitter * random())
}
