/** What one look at a gateway found. */
export type Sign =
  | { readonly kind: 'answered'; readonly latencyMs: number }
  | { readonly kind: 'failed'; readonly error: Error }

/** What a gateway that is well does not exceed. */
export interface Limits {
  /** How long a message through it may take, connection included. */
  readonly maxLatencyMs: number
  /** How many of the last `window` looks may have failed. */
  readonly maxErrors: number
  readonly window: number
}

/** What is wrong with a gateway by the last looks at it, oldest first; undefined when it is well. */
export function complaintOf(
  signs: readonly Sign[],
  { maxLatencyMs, maxErrors, window }: Limits,
): string | undefined {
  const last = signs.at(-1)
  if (last?.kind === 'failed') return last.error.message
  if (last !== undefined && last.latencyMs > maxLatencyMs) {
    return `slow: ${Math.round(last.latencyMs)} ms for a message, more than ${maxLatencyMs}`
  }
  const errors = signs.slice(-window).filter(({ kind }) => kind === 'failed').length
  return errors > maxErrors ? `failing: ${errors} errors in the last ${window} looks` : undefined
}
