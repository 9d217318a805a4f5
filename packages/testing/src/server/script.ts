import { type Deferred, deferred } from '@ha/core/driver'
import { type ConnectionFilter, type ConnectionOrigin, matchesConnection, type Side } from './rules.ts'

/** How a protocol reads its rules, those about bytes, `B`, among them. */
export interface RuleInterpreter<R, B, M, P> extends PlanBuilder<R, M, P> {
  /** Throws at a rule that could never match. */
  readonly check: (rule: R | B) => void
}

/** The misbehaviour of fake servers, as data: rules, how often each has matched, and the gates that wait for a test. */
export class Script<R extends EventRule, B extends ByteRule, M extends ConnectionOrigin, P> {
  readonly #interpreter: RuleInterpreter<R, B, M, P>
  readonly #gates = new Map<string, Deferred<void>>()
  #counted: readonly CountedRule<R>[] = []
  #byteRules: readonly B[] = []

  constructor(grammar: RuleInterpreter<R, B, M, P>) {
    this.#interpreter = grammar
  }

  /** Whether there is no rule. */
  get isEmpty(): boolean {
    return this.#counted.length === 0 && this.#byteRules.length === 0
  }

  /** Adds rules behind the others; the returned function removes them. */
  add(rules: readonly (R | B)[]): () => void {
    for (const rule of rules) this.#interpreter.check(rule)
    // Copied, so that the same rule can be added twice.
    const added = rules.map((rule) => ({ ...rule }))
    const fresh = added.filter(isEventRule<R, B>).map((rule) => ({ rule, matches: 0 }))
    this.#counted = [...this.#counted, ...fresh]
    this.#byteRules = [...this.#byteRules, ...added.filter(isByteRule<R, B>)]
    return () => this.#remove(added)
  }

  /** What happens in this moment. Counts it. */
  planOf(moment: M): P {
    const { plan, counted } = planEvent(this.#interpreter, this.#counted, moment)
    this.#counted = counted
    return plan
  }

  /** Where in a stretch of bytes something happens. */
  stopIn(stretch: ByteRange): ByteStop<B> | undefined {
    return planBytes(this.#byteRules, stretch)
  }

  /** Resolves at the next {@link release} of that name. */
  released(name: string): Promise<void> {
    const waiting = this.#gates.get(name) ?? deferred()
    this.#gates.set(name, waiting)
    return waiting.promise
  }

  /** Lets everything go on that waits for this name now; what comes later waits again. */
  release(name: string): void {
    this.#gates.get(name)?.resolve()
    this.#gates.delete(name)
  }

  #remove(removed: readonly (R | B)[]): void {
    this.#counted = this.#counted.filter(({ rule }) => !removed.includes(rule))
    this.#byteRules = this.#byteRules.filter((rule) => !removed.includes(rule))
  }
}

function isByteRule<R extends EventRule, B extends ByteRule>(rule: R | B): rule is B {
  return 'byte' in rule.when
}

function isEventRule<R extends EventRule, B extends ByteRule>(rule: R | B): rule is R {
  return !('byte' in rule.when)
}

/** Which of its matches a rule acts on: all of them when neither is given. */
export interface MatchWindow {
  /** How many matches pass before the rule begins. Default 0. */
  readonly skip?: number
  /** To how many matches it applies from then on. Default: to all. */
  readonly times?: number
}

/** What every rule has that is about moments, beside what its protocol gives it. */
interface EventRule {
  readonly when: ConnectionFilter & MatchWindow
}

/** How a protocol reads its rules about moments: `R` a rule, `M` a moment, `P` the plan of what happens in it. */
interface PlanBuilder<R, M, P> {
  /** The plan of a moment that no rule concerns. */
  readonly defaultPlan: P
  /** Whether a rule is about a moment on a connection that stands in the rule's place. */
  readonly isMatch: (rule: R, moment: M) => boolean
  /** The plan with what a rule makes of it. */
  readonly add: (plan: P, rule: R, moment: M) => P
}

/** A rule, and how often it has matched. */
interface CountedRule<R> {
  readonly rule: R
  readonly matches: number
}

/** A plan, and the counts of the rules when it is taken. */
interface PlannedEvent<R, P> {
  readonly plan: P
  readonly counted: readonly CountedRule<R>[]
}

/** Decides what happens in a moment: every rule that matches and whose turn it is adds to the plan, in order. */
function planEvent<R extends EventRule, M extends ConnectionOrigin, P>(
  reading: PlanBuilder<R, M, P>,
  counted: readonly CountedRule<R>[],
  moment: M,
): PlannedEvent<R, P> {
  const matching = counted.filter(
    ({ rule }) => matchesConnection(rule.when, moment) && reading.isMatch(rule, moment),
  )
  return {
    plan: matching
      .filter(isInWindow)
      .reduce((plan, { rule }) => reading.add(plan, rule, moment), reading.defaultPlan),
    counted: counted.map((each) => (matching.includes(each) ? { ...each, matches: each.matches + 1 } : each)),
  }
}

function isInWindow({ rule: { when }, matches }: CountedRule<EventRule>): boolean {
  const skip = when.skip ?? 0
  return matches >= skip && matches < skip + (when.times ?? Number.POSITIVE_INFINITY)
}

/** Matches the moment when a side has sent exactly so many bytes on a connection. */
export interface WhenByte extends ConnectionFilter {
  readonly from: Side
  readonly byte: number
}

/** What every rule has that is about a place in the stream of bytes, beside its act. */
export interface ByteRule {
  readonly when: WhenByte
}

/** Bytes that are about to pass, and how many have passed before them. */
interface ByteRange extends ConnectionOrigin {
  readonly from: Side
  readonly position: number
  readonly length: number
}

/** How many bytes pass before a rule about bytes acts, and what it does then. */
export interface ByteStop<A> {
  readonly bytes: number
  readonly act: A
}

/** Decides where in a stretch of bytes a rule acts: the first place, or undefined when none lies in it. */
export function planBytes<B extends ByteRule>(
  rules: readonly B[],
  stretch: ByteRange,
): ByteStop<B> | undefined {
  const first = rules
    .filter((rule) => isInside(rule.when, stretch))
    .reduce<B | undefined>(
      (best, rule) => (best === undefined || rule.when.byte < best.when.byte ? rule : best),
      undefined,
    )
  return first === undefined ? undefined : { bytes: first.when.byte - stretch.position, act: first }
}

// Its end belongs to a stretch and its beginning does not: the act at byte K comes right behind byte K, once.
function isInside(when: WhenByte, stretch: ByteRange): boolean {
  const { position, length } = stretch
  return (
    when.from === stretch.from &&
    matchesConnection(when, stretch) &&
    when.byte > position &&
    when.byte <= position + length
  )
}
