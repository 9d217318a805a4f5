import { isAt, type Place, type Where } from './place.ts'

/** Which of its matches a rule acts on: all of them when neither is given. */
export interface Turns {
  /** How many matches pass before the rule begins. Default 0. */
  readonly skip?: number
  /** To how many matches it applies from then on. Default: to all. */
  readonly times?: number
}

/** What every rule has that is about moments, beside what its protocol gives it. */
export interface MomentRule {
  readonly when: Place & Turns
}

/** How a protocol reads its rules about moments: `R` a rule, `M` a moment, `P` the plan of what happens in it. */
export interface Reading<R, M, P> {
  /** The plan of a moment that no rule concerns. */
  readonly plain: P
  /** Whether a rule is about a moment on a connection that stands in the rule's place. */
  readonly isMatch: (rule: R, moment: M) => boolean
  /** The plan with what a rule makes of it. */
  readonly add: (plan: P, rule: R, moment: M) => P
}

/** A rule, and how often it has matched. */
export interface Counted<R> {
  readonly rule: R
  readonly seen: number
}

/** A plan, and the counts of the rules when it is taken. */
export interface Planned<R, P> {
  readonly plan: P
  readonly counted: readonly Counted<R>[]
}

/** Decides what happens in a moment: every rule that matches and whose turn it is adds to the plan, in order. */
export function planMoment<R extends MomentRule, M extends Where, P>(
  reading: Reading<R, M, P>,
  counted: readonly Counted<R>[],
  moment: M,
): Planned<R, P> {
  const matching = counted.filter(({ rule }) => isAt(rule.when, moment) && reading.isMatch(rule, moment))
  return {
    plan: matching
      .filter(isInTurn)
      .reduce((plan, { rule }) => reading.add(plan, rule, moment), reading.plain),
    counted: counted.map((each) => (matching.includes(each) ? { ...each, seen: each.seen + 1 } : each)),
  }
}

function isInTurn({ rule: { when }, seen }: Counted<MomentRule>): boolean {
  const skip = when.skip ?? 0
  return seen >= skip && seen < skip + (when.times ?? Number.POSITIVE_INFINITY)
}
