/** What this client makes of an instance after the calls that it sent there. */
export type Standing =
  /** It is used; `errorsAtMs` are the errors that may still count against it. */
  | { readonly kind: 'trusted'; readonly errorsAtMs: readonly number[] }
  /** It is left out until `untilMs`. */
  | { readonly kind: 'shunned'; readonly untilMs: number }
  /** A single caller tries it; when he says nothing before `untilMs`, another one may. */
  | { readonly kind: 'on-trial'; readonly untilMs: number }

/** When an instance is left out, and for how long. */
export interface ShunRules {
  /** How many errors within `windowMs` it takes. Default 2. */
  readonly errors: number
  /** In milliseconds. Default 30 000. */
  readonly windowMs: number
  /** How long it is left out before a single caller tries it, in milliseconds. Default 30 000. */
  readonly restMs: number
}

/** Nothing is known against it. */
export const trusted: Standing = { kind: 'trusted', errorsAtMs: [] }

/** What is made of it after the outcome of a call. */
export function afterOutcome(
  standing: Standing,
  outcome: 'ok' | 'error',
  nowMs: number,
  rules: ShunRules,
): Standing {
  switch (standing.kind) {
    case 'trusted':
      return outcome === 'ok' ? standing : afterError(standing.errorsAtMs, nowMs, rules)
    case 'on-trial':
      return outcome === 'ok' ? trusted : { kind: 'shunned', untilMs: nowMs + rules.restMs }
    case 'shunned':
      // Answers to what was asked before it was left out: they say nothing new.
      return standing
  }
}

/** What is made of it once it was picked: after its rest, that is the trial. */
export function afterPick(standing: Standing, nowMs: number, rules: ShunRules): Standing {
  if (standing.kind === 'trusted' || nowMs < standing.untilMs) return standing
  return { kind: 'on-trial', untilMs: nowMs + rules.restMs }
}

/** Until when it is left out; undefined when it may be picked. */
export function leftOutUntilMs(standing: Standing, nowMs: number): number | undefined {
  return standing.kind === 'trusted' || nowMs >= standing.untilMs ? undefined : standing.untilMs
}

function afterError(errorsAtMs: readonly number[], nowMs: number, rules: ShunRules): Standing {
  const counting = [...errorsAtMs.filter((atMs) => nowMs - atMs < rules.windowMs), nowMs]
  return counting.length < rules.errors
    ? { kind: 'trusted', errorsAtMs: counting }
    : { kind: 'shunned', untilMs: nowMs + rules.restMs }
}
