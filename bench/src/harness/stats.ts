/** Smallest, middle and largest of some measurements. */
export interface Spread {
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
    median: between(sorted, 0.5),
    p95: between(sorted, 0.95),
    max: sorted.at(-1) ?? min,
  }
}

/** The value below which a share `q` of some numbers lies, or undefined when there are none. */
export function quantile(values: readonly number[], q: number): number | undefined {
  return values.length === 0
    ? undefined
    : between(
        [...values].sort((a, b) => a - b),
        q,
      )
}

// Linear between the two neighbours, as most tools have it.
function between(sorted: readonly number[], q: number): number {
  const place = (sorted.length - 1) * q
  const low = sorted[Math.floor(place)] ?? 0
  const high = sorted[Math.ceil(place)] ?? low
  // Between two that never ended is no number.
  return low === high ? low : low + (high - low) * (place - Math.floor(place))
}

/** A number of milliseconds as people read it. */
export function ms(value: number | undefined): string {
  if (value === undefined || value === Number.POSITIVE_INFINITY) return 'never'
  return `${Math.round(value).toLocaleString('en').replaceAll(',', ' ')} ms`
}
