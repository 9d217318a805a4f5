import { type Deferred, deferred } from '@ha/core/driver'
import { type ConnectionFilter, type ConnectionOrigin, matchesConnection, type Side } from './rules.ts'

/** How a protocol interprets its rules: `R` is a rule about events, `B` one about bytes, `M` an event, `P` its plan. */
export interface RuleInterpreter<R, B, M, P> {
  /** Throws at a rule that could never match. */
  readonly check: (rule: R | B) => void
  /** The plan of an event that no rule matches. */
  readonly defaultPlan: P
  /** Whether a rule matches an event on a connection that matches the rule's filter. */
  readonly isMatch: (rule: R, event: M) => boolean
  /** The plan with a rule's action added. */
  readonly add: (plan: P, rule: R, event: M) => P
}

/** The rules of fake servers, how often each has matched, and the holds that wait for a release by the test. */
export class Script<R extends ScriptedRule, B extends ByteRule, M extends ConnectionOrigin, P> {
  readonly #interpreter: RuleInterpreter<R, B, M, P>
  readonly #holds = new Map<string, Deferred<void>>()
  #counted: readonly CountedRule<R>[] = []
  #byteRules: readonly B[] = []

  constructor(interpreter: RuleInterpreter<R, B, M, P>) {
    this.#interpreter = interpreter
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

  /** The plan of this event. Counts the matches. */
  planOf(event: M): P {
    const { plan, counted } = planEvent(this.#interpreter, this.#counted, event)
    this.#counted = counted
    return plan
  }

  /** Where in a range of bytes a rule acts. */
  stopIn(range: ByteRange): ByteStop<B> | undefined {
    return planBytes(this.#byteRules, range)
  }

  /** Resolves at the next {@link release} of that name. */
  released(name: string): Promise<void> {
    const waiting = this.#holds.get(name) ?? deferred()
    this.#holds.set(name, waiting)
    return waiting.promise
  }

  /** Releases everything that waits for this name now; what follows later waits again. */
  release(name: string): void {
    this.#holds.get(name)?.resolve()
    this.#holds.delete(name)
  }

  #remove(removed: readonly (R | B)[]): void {
    this.#counted = this.#counted.filter(({ rule }) => !removed.includes(rule))
    this.#byteRules = this.#byteRules.filter((rule) => !removed.includes(rule))
  }
}

function isByteRule<R extends ScriptedRule, B extends ByteRule>(rule: R | B): rule is B {
  return 'byte' in rule.when
}

function isEventRule<R extends ScriptedRule, B extends ByteRule>(rule: R | B): rule is R {
  return !('byte' in rule.when)
}

/** Which of its matches a rule acts on: all of them when neither is given. */
export interface MatchWindow {
  /** How many matches pass before the rule begins. Default 0. */
  readonly skip?: number
  /** To how many matches it applies from then on. Default: to all. */
  readonly times?: number
}

/** The fields of every rule about events, besides those of its protocol. */
interface ScriptedRule {
  readonly when: ConnectionFilter & MatchWindow
}

/** A rule, and how often it has matched. */
interface CountedRule<R> {
  readonly rule: R
  readonly matches: number
}

/** A plan, and the counts of the rules after it. */
interface PlannedEvent<R, P> {
  readonly plan: P
  readonly counted: readonly CountedRule<R>[]
}

/** Plans an event: every rule that matches, and is within its window, adds to the plan, in order. */
function planEvent<R extends ScriptedRule, M extends ConnectionOrigin, P>(
  interpreter: Pick<RuleInterpreter<R, never, M, P>, 'defaultPlan' | 'isMatch' | 'add'>,
  counted: readonly CountedRule<R>[],
  event: M,
): PlannedEvent<R, P> {
  const matching = counted.filter(
    ({ rule }) => matchesConnection(rule.when, event) && interpreter.isMatch(rule, event),
  )
  return {
    plan: matching
      .filter(isInWindow)
      .reduce((plan, { rule }) => interpreter.add(plan, rule, event), interpreter.defaultPlan),
    counted: counted.map((each) => (matching.includes(each) ? { ...each, matches: each.matches + 1 } : each)),
  }
}

function isInWindow({ rule: { when }, matches }: CountedRule<ScriptedRule>): boolean {
  const skip = when.skip ?? 0
  return matches >= skip && matches < skip + (when.times ?? Number.POSITIVE_INFINITY)
}

/** Matches when a side has sent exactly so many bytes on a connection. */
export interface WhenByte extends ConnectionFilter {
  readonly from: Side
  readonly byte: number
}

/** The fields of every rule about a position in the stream of bytes, besides its action. */
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

/** The first position in a range of bytes at which a rule acts; undefined when there is none. */
export function planBytes<B extends ByteRule>(
  rules: readonly B[],
  range: ByteRange,
): ByteStop<B> | undefined {
  const first = rules
    .filter((rule) => isInside(rule.when, range))
    .reduce<B | undefined>(
      (best, rule) => (best === undefined || rule.when.byte < best.when.byte ? rule : best),
      undefined,
    )
  return first === undefined ? undefined : { bytes: first.when.byte - range.position, act: first }
}

// A range includes its end and not its start: a rule at byte K acts once, right after byte K.
function isInside(when: WhenByte, range: ByteRange): boolean {
  const { position, length } = range
  return (
    when.from === range.from &&
    matchesConnection(when, range) &&
    when.byte > position &&
    when.byte <= position + length
  )
}
