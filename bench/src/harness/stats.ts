/** Smallest, middle and largest of some measurements. */
interface Spread {
  readonly count: number
  readonly min: number
  readonly median: number
  readonly p95: number
  readonly max: number
}

/** The spread of some numbers, or undefined when there are none. */
export function spread(values: readonly number[]): Spread | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  const [min] = sorted
  if (min === undefined) return undefined
  return {
    count: sorted.length,
    min,
    median: interpolate(sorted, 0.5),
    p95: interpolate(sorted, 0.95),
    max: sorted.at(-1) ?? min,
  }
}

/** The value below which a share `q` of some numbers lies, or undefined when there are none. */
export function quantile(values: readonly number[], q: number): number | undefined {
  return values.length === 0
    ? undefined
    : interpolate(
        [...values].sort((a, b) => a - b),
        q,
      )
}

// Linear between the two neighbours, as most tools have it.
function interpolate(sorted: readonly number[], q: number): number {
  const position = (sorted.length - 1) * q
  const low = sorted[Math.floor(position)] ?? 0
  const high = sorted[Math.ceil(position)] ?? low
  // Between two that never ended is no number.
  return low === high ? low : low + (high - low) * (position - Math.floor(position))
}

/** A number of milliseconds as people read it. */
export function ms(value: number | undefined): string {
  if (value === undefined || value === Number.POSITIVE_INFINITY) return 'never'
  return `${Math.round(value).toLocaleString('en').replaceAll(',', ' ')} ms`
}

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
export function longestSilences(
  instants: readonly number[],
  faultAtMs: number,
  most: number,
): readonly Silence[] {
  const after = [faultAtMs, ...instants.filter((atMs) => atMs > faultAtMs).sort((a, b) => a - b)]
  return after
    .slice(1)
    .map((atMs, i) => ({ afterFaultMs: (after[i] ?? 0) - faultAtMs, lastedMs: atMs - (after[i] ?? 0) }))
    .sort((a, b) => b.lastedMs - a.lastedMs)
    .slice(0, most)
}
