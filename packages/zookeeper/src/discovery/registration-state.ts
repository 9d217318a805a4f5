import type { EphemeralState } from '../recipes/ephemeral.ts'
import type { Answer } from './checks.ts'
import { afterCheck, type Fitness, type FitnessRules, unchecked } from './fitness.ts'

/** How a registration stands. */
export type RegistrationState =
  /** It is not listed yet, or not any more: `reason` says why, as far as that is known. */
  | { readonly kind: 'pending'; readonly reason: Error | undefined }
  /** It is listed, and picked by those who read the list. */
  | { readonly kind: 'registered'; readonly path: string }
  /** Its checks failed: it is taken off the list. */
  | { readonly kind: 'withheld'; readonly reason: Error | undefined }
  /** Its checks failed: it is listed as out of service. */
  | { readonly kind: 'flagged'; readonly reason: Error | undefined; readonly path: string }
  /** It is about to go, and listed as out of service where it was listed. */
  | { readonly kind: 'draining' }
  | { readonly kind: 'closed' }

/** What the owner of a registration is about. */
export type Stage =
  /** `error` is why the last check that failed did so, for as long as it matters. */
  | { readonly kind: 'serving'; readonly fitness: Fitness; readonly error: Error | undefined }
  | { readonly kind: 'draining'; readonly wish: Wish }
  | { readonly kind: 'closed' }

/** How the registry should list an instance. */
export type Wish = 'absent' | 'offered' | 'flagged'

/** What becomes of an instance whose checks fail: it is taken off the list, or stays as out of service. */
export type OnUnhealthy = 'remove' | 'flag'

/** The stage that a registration begins with. */
export function begun(nowMs: number): Stage {
  return { kind: 'serving', fitness: unchecked(nowMs), error: undefined }
}

/** The stage of an instance that is well by its owner's word alone. */
export const unquestioned: Stage = {
  kind: 'serving',
  fitness: { kind: 'fit', failures: 0 },
  error: undefined,
}

/** The stage after one more check. */
export function heard(stage: Stage, answer: Answer, nowMs: number, rules: FitnessRules): Stage {
  if (stage.kind !== 'serving') return stage
  const fitness = afterCheck(stage.fitness, answer.passed, nowMs, rules)
  if (!answer.passed) return { kind: 'serving', fitness, error: answer.error }
  return { kind: 'serving', fitness, error: fitness.kind === 'fit' ? undefined : stage.error }
}

/** The stage of one that is about to go; what was not listed is not listed for this. */
export function drained(stage: Stage, onUnhealthy: OnUnhealthy): Stage {
  if (stage.kind !== 'serving') return stage
  return { kind: 'draining', wish: wishOf(stage, onUnhealthy) === 'absent' ? 'absent' : 'flagged' }
}

/** How the registry should list it. */
export function wishOf(stage: Stage, onUnhealthy: OnUnhealthy): Wish {
  switch (stage.kind) {
    case 'draining':
      return stage.wish
    case 'closed':
      return 'absent'
    case 'serving':
      return wishOfFitness(stage.fitness, onUnhealthy)
  }
}

/** How it stands, by what its owner is about and what is known of its node, once there has been one. */
export function stateOf(
  stage: Stage,
  node: EphemeralState | undefined,
  onUnhealthy: OnUnhealthy,
): RegistrationState {
  if (stage.kind !== 'serving') return { kind: stage.kind }
  const { fitness, error } = stage
  if (fitness.kind === 'warming') return { kind: 'pending', reason: error }
  if (fitness.kind === 'unfit' && onUnhealthy === 'remove') return { kind: 'withheld', reason: error }
  if (node?.kind !== 'held')
    return { kind: 'pending', reason: node?.kind === 'pending' ? node.reason : undefined }
  return fitness.kind === 'fit'
    ? { kind: 'registered', path: node.path }
    : { kind: 'flagged', reason: error, path: node.path }
}

function wishOfFitness(fitness: Fitness, onUnhealthy: OnUnhealthy): Wish {
  switch (fitness.kind) {
    case 'warming':
      return 'absent'
    case 'fit':
      return 'offered'
    case 'unfit':
      return onUnhealthy === 'flag' ? 'flagged' : 'absent'
  }
}
