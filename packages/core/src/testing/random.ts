import { env } from 'node:process'

/** A small seeded generator (mulberry32): the same seed gives the same run, so that a failing one replays. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

// What every test run pays for; the whole series belongs to `npm run soak`.
const dose = 25

/**
 * The seeds of a simulation: 25 in a test run, `soak` of them with `HA_SOAK=1` (`npm run soak`). `HA_SEEDS` gives
 * another number, and `HA_SEED` replays one run.
 */
export function simulationSeeds(soak: number): readonly number[] {
  const only = env['HA_SEED']
  if (only !== undefined) return [Number(only)]
  const count = Number(env['HA_SEEDS'] ?? (isSoak() ? soak : Math.min(dose, soak)))
  return Array.from({ length: count }, (_, i) => i + 1)
}

/** Whether this is `npm run soak`: everything is tried, not only a dose of it. */
export function isSoak(): boolean {
  return env['HA_SOAK'] === '1'
}
