import { timerGrainMs } from '@ha/core/driver'
/** Whether an instance is fit to be offered, by what its own checks have said. */
export type Fitness =
  /** It has not been offered yet: well without a break since `sinceMs`. */
  | { readonly kind: 'warming'; readonly successes: number; readonly sinceMs: number }
  /** It is offered; its last `failures` checks failed. */
  | { readonly kind: 'fit'; readonly failures: number }
  /** It was taken back; its last `successes` checks, all since `sinceMs`, passed. */
  | { readonly kind: 'unfit'; readonly successes: number; readonly sinceMs: number }

export interface FitnessRules {
  /** How many checks in a row have to fail before it is taken back. */
  readonly failures: number
  /** How many checks in a row have to pass before it is offered again. */
  readonly successes: number
  /** How long it has to be well without a break before it is offered the first time, in milliseconds. */
  readonly warmupMs: number
  /** How long it has to be well without a break before it is offered again, in milliseconds. */
  readonly minDwellMs: number
}

/** What is believed before the first check. */
export function unchecked(nowMs: number): Fitness {
  return { kind: 'warming', successes: 0, sinceMs: nowMs }
}

/**
 * What is believed after one more check. It is taken back at once, for an instance that does not work should not be
 * picked; it comes back only after a time without a single failure, so that one that flaps faster than that is written
 * once and stays out.
 */
export function afterCheck(fitness: Fitness, passed: boolean, nowMs: number, rules: FitnessRules): Fitness {
  if (fitness.kind === 'fit') return stillFit(fitness.failures, passed, nowMs, rules)
  if (!passed) return { ...fitness, successes: 0, sinceMs: nowMs }
  const successes = fitness.successes + 1
  const [needed, wellMs] =
    fitness.kind === 'warming' ? [1, rules.warmupMs] : [rules.successes, rules.minDwellMs]
  const wellForMs = nowMs - fitness.sinceMs
  return successes >= needed && wellMs - wellForMs < timerGrainMs
    ? { kind: 'fit', failures: 0 }
    : { ...fitness, successes }
}

function stillFit(failuresBefore: number, passed: boolean, nowMs: number, rules: FitnessRules): Fitness {
  const failures = passed ? 0 : failuresBefore + 1
  return failures >= rules.failures
    ? { kind: 'unfit', successes: 0, sinceMs: nowMs }
    : { kind: 'fit', failures }
}
