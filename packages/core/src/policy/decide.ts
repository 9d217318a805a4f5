import type { Verdict } from '../errors/classification.ts'

/** What is known of an operation when one attempt has failed. */
export interface Attempt {
  /** Whether the caller said that twice is harmless. */
  readonly repeatable: boolean
  /** Whether the operation's deadline has passed. */
  readonly expired: boolean
  /** Whether a token for the repetition is to be had. Asked only when nothing else forbids it. */
  readonly affordable: () => boolean
}

export type Decision = 'retry' | 'rejected' | 'outcome-unknown' | 'timed-out' | 'retry-budget-exhausted'

/** The whole retry rule. */
export function decide(verdict: Verdict, attempt: Attempt): Decision {
  if (verdict.effect === 'unknown' && !attempt.repeatable) return 'outcome-unknown'
  if (!verdict.transient) return 'rejected'
  if (attempt.expired) return 'timed-out'
  return attempt.affordable() ? 'retry' : 'retry-budget-exhausted'
}
