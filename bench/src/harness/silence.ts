/**
 * The dark time of a fault: the longest silence between two instants that began between the fault and its healing.
 * Undefined when nothing came after the fault. One ruler for confirms, deliveries and the floor.
 */
export function darkMs(
  instants: readonly number[],
  faultAtMs: number,
  healedAtMs: number,
): number | undefined {
  const after = instants.filter((atMs) => atMs > faultAtMs).sort((a, b) => a - b)
  if (after.length === 0) return undefined
  let longestMs = 0
  let beginsAtMs = faultAtMs
  for (const atMs of after) {
    if (beginsAtMs >= healedAtMs) break
    longestMs = Math.max(longestMs, atMs - beginsAtMs)
    beginsAtMs = atMs
  }
  return longestMs
}

/** A time in which nothing happened. */
export interface Silence {
  readonly afterFaultMs: number
  readonly lastedMs: number
}

/** The longest silences between instants after a fault, longest first. */
export function silencesOf(instants: readonly number[], faultAtMs: number, most: number): readonly Silence[] {
  const after = [faultAtMs, ...instants.filter((atMs) => atMs > faultAtMs).sort((a, b) => a - b)]
  return after
    .slice(1)
    .map((atMs, i) => ({ afterFaultMs: (after[i] ?? 0) - faultAtMs, lastedMs: atMs - (after[i] ?? 0) }))
    .sort((a, b) => b.lastedMs - a.lastedMs)
    .slice(0, most)
}
