import { type Deferred, deferred } from '@ha/core/driver'
import type { Where } from './place.ts'
import { type ByteRule, type ByteStop, planBytes, type Stretch } from './plan-bytes.ts'
import { type Counted, type MomentRule, planMoment, type Reading } from './plan-moment.ts'

/** How a protocol reads its rules, those about bytes, `B`, among them. */
export interface Grammar<R, B, M, P> extends Reading<R, M, P> {
  /** Throws at a rule that could never match. */
  readonly check: (rule: R | B) => void
}

/** The misbehaviour of fake servers, as data: rules, how often each has matched, and the gates that wait for a test. */
export class Script<R extends MomentRule, B extends ByteRule, M extends Where, P> {
  readonly #grammar: Grammar<R, B, M, P>
  readonly #gates = new Map<string, Deferred<void>>()
  #counted: readonly Counted<R>[] = []
  #byteRules: readonly B[] = []

  constructor(grammar: Grammar<R, B, M, P>) {
    this.#grammar = grammar
  }

  /** Whether there is no rule. */
  get isEmpty(): boolean {
    return this.#counted.length === 0 && this.#byteRules.length === 0
  }

  /** Adds rules behind the others; the returned function removes them. */
  add(rules: readonly (R | B)[]): () => void {
    for (const rule of rules) this.#grammar.check(rule)
    // Copied, so that the same rule can be added twice.
    const added = rules.map((rule) => ({ ...rule }))
    const fresh = added.filter(isMomentRule<R, B>).map((rule) => ({ rule, seen: 0 }))
    this.#counted = [...this.#counted, ...fresh]
    this.#byteRules = [...this.#byteRules, ...added.filter(isByteRule<R, B>)]
    return () => this.#remove(added)
  }

  /** What happens in this moment. Counts it. */
  planOf(moment: M): P {
    const { plan, counted } = planMoment(this.#grammar, this.#counted, moment)
    this.#counted = counted
    return plan
  }

  /** Where in a stretch of bytes something happens. */
  stopIn(stretch: Stretch): ByteStop<B> | undefined {
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

function isByteRule<R extends MomentRule, B extends ByteRule>(rule: R | B): rule is B {
  return 'byte' in rule.when
}

function isMomentRule<R extends MomentRule, B extends ByteRule>(rule: R | B): rule is R {
  return !('byte' in rule.when)
}
