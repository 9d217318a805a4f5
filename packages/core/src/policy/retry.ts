import type { Verdict } from '../errors/classification.ts'

/** What is known of an operation when one attempt has failed. */
interface AttemptFacts {
  /** Whether the caller said that twice is harmless. */
  readonly repeatable: boolean
  /** Whether the operation's deadline has passed. */
  readonly expired: boolean
  /** Whether a token for the repetition is to be had. Asked only when nothing else forbids it. */
  readonly spendBudget: () => boolean
}

export type Decision = 'retry' | 'rejected' | 'outcome-unknown' | 'timed-out' | 'retry-budget-exhausted'

/** The whole retry rule. */
export function decide(verdict: Verdict, attempt: AttemptFacts): Decision {
  if (verdict.effect === 'unknown' && !attempt.repeatable) return 'outcome-unknown'
  if (!verdict.transient) return 'rejected'
  if (attempt.expired) return 'timed-out'
  return attempt.spendBudget() ? 'retry' : 'retry-budget-exhausted'
}

export interface BudgetOptions {
  /** What the budget can hold at most: the burst of repetitions that is always allowed. Default 10. */
  readonly burst?: number
  /** What one success puts back: at 0.1, one repetition for ten successes. Default 0.1. */
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

  /** Notes a success. */
  refill(): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + this.#refill)
  }
}
