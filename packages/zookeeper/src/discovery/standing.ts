/** What this client makes of an instance after the calls that it sent there. */
export type Standing =
  /** It is used; its last `errors` calls failed, one after the other, and the last of them at `atMs`. */
  | { readonly kind: 'trusted'; readonly errors: number; readonly atMs: number }
  /** It is left out until `untilMs`. */
  | { readonly kind: 'shunned'; readonly untilMs: number }
  /** A single caller tries it; when he says nothing before `untilMs`, another one may. */
  | { readonly kind: 'on-trial'; readonly untilMs: number }

/** When an instance is left out, and for how long. */
export interface ShunRules {
  /** How many calls in a row have to fail: a success begins the count anew, and so do `restMs` without an error. Default 5. */
  readonly errors: number
  /** How long it is left out before a single caller tries it, in milliseconds. Default 30 000. */
  readonly restMs: number
}

/** Nothing is known against it. */
export const trusted: Standing = { kind: 'trusted', errors: 0, atMs: 0 }

/**
 * What is made of it after the outcome of a call. Failures are counted in a row and not in a time: two in a minute are
 * a lot among ten calls, and nothing among ten thousand. With five in a row, whoever fails one call in a hundred is left
 * out once in ten thousand million calls, whoever fails one in two after about sixty, and whoever is gone after five.
 */
export function afterOutcome(
  standing: Standing,
  outcome: 'ok' | 'error',
  nowMs: number,
  rules: ShunRules,
): Standing {
  switch (standing.kind) {
    case 'trusted':
      return outcome === 'ok' ? trusted : afterError(standing, nowMs, rules)
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

// Whoever reports failures alone, or calls once a day, has no success to begin the count anew.
function afterError(
  { errors: before, atMs }: Extract<Standing, { kind: 'trusted' }>,
  nowMs: number,
  rules: ShunRules,
): Standing {
  const errors = nowMs - atMs > rules.restMs ? 1 : before + 1
  return errors < rules.errors
    ? { kind: 'trusted', errors, atMs: nowMs }
    : { kind: 'shunned', untilMs: nowMs + rules.restMs }
}
