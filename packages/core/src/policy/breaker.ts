import { timerGrainMs } from '../util/clock.ts'
import type { Backoff } from './backoff.ts'

/** The circuit breaker of one endpoint: whether it may be dialled after a failure. */
export type CircuitBreaker =
  | { readonly kind: 'closed' }
  /** No dial before `untilMs`; then a single dial decides. */
  | { readonly kind: 'open'; readonly failures: number; readonly untilMs: number; readonly error: Error }
  /** The single dial is under way. */
  | { readonly kind: 'half-open'; readonly failures: number; readonly error: Error }

/** The breaker before any failure. */
export const closedBreaker: CircuitBreaker = { kind: 'closed' }

/** How long to wait before a dial, in milliseconds: 0 for none, `Infinity` until the single dial has ended. */
export function waitBeforeDial(breaker: CircuitBreaker, nowMs: number): number {
  switch (breaker.kind) {
    case 'closed':
      return 0
    case 'half-open':
      return Number.POSITIVE_INFINITY
    case 'open': {
      const leftMs = breaker.untilMs - nowMs
      return leftMs < timerGrainMs ? 0 : leftMs
    }
  }
}

/** A dial begins; from an open breaker, it is the single dial. */
export function afterDialStart(breaker: CircuitBreaker): CircuitBreaker {
  return breaker.kind === 'open' ? { ...breaker, kind: 'half-open' } : breaker
}

export interface DialFailure {
  readonly error: Error
  readonly nowMs: number
  readonly delayMs: Backoff
  readonly random: () => number
}

/** A dial failed. Concurrent dials that fail count as one failure. */
export function afterDialFailure(
  breaker: CircuitBreaker,
  { error, nowMs, delayMs, random }: DialFailure,
): CircuitBreaker {
  if (breaker.kind === 'open') return breaker
  const failures = breaker.kind === 'half-open' ? breaker.failures + 1 : 1
  return { kind: 'open', failures, untilMs: nowMs + delayMs(failures - 1, random), error }
}
