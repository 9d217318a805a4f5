import type { Verdict } from '../errors/classification.ts'

/** The facts about a failed attempt. */
interface AttemptFacts {
  /** Whether executing the operation twice is harmless. */
  readonly repeatable: boolean
  /** Whether the operation's deadline has passed. */
  readonly expired: boolean
  /** Takes a token for the repetition, if there is one. Called only when nothing else forbids the repetition. */
  readonly spendBudget: () => boolean
}

export type RetryDecision = 'retry' | 'rejected' | 'outcome-unknown' | 'timed-out' | 'retry-budget-exhausted'

/** The whole retry rule. */
export function decideRetry(verdict: Verdict, attempt: AttemptFacts): RetryDecision {
  if (verdict.effect === 'unknown' && !attempt.repeatable) return 'outcome-unknown'
  if (!verdict.transient) return 'rejected'
  if (attempt.expired) return 'timed-out'
  return attempt.spendBudget() ? 'retry' : 'retry-budget-exhausted'
}

export interface BudgetOptions {
  /** The maximum number of tokens: a burst of repetitions that is always allowed. Default 10. */
  readonly burst?: number
  /** The tokens that one success adds: at 0.1, one repetition for ten successes. Default 0.1. */
  readonly refill?: number
}

/** Tokens for repetitions, shared by all operations of a client, so that an outage is not multiplied by retries. */
export class Budget {
  readonly #burst: number
  readonly #refill: number
  #tokens: number

  constructor({ burst = 10, refill = 0.1 }: BudgetOptions = {}) {
    this.#burst = burst
    this.#refill = refill
    this.#tokens = burst
  }

  /** Takes one token for a repetition; false when there is none. */
  spend(): boolean {
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  /** Records a success. */
  refill(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + this.#refill)
  }
}
