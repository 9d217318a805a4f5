import { type Gate, gate } from '@ha/core'
import { checkRule } from './check-rule.ts'
import {
  type ByteStop,
  type Moment,
  type Plan,
  plainPlan,
  planBytes,
  planCommand,
  type Stretch,
} from './plan.ts'
import type { Rule } from './rule.ts'

/** The rules of a cluster, how often each has matched, and the gates that held commands wait at. */
export class Script {
  #rules: readonly Rule[] = []
  #seen: readonly number[] = []
  readonly #gates = new Map<string, Gate<void>>()

  /** Adds rules behind the others; the returned function removes them. */
  add(rules: readonly Rule[]): () => void {
    const added = rules.map((rule) => checkRule(rule))
    this.#rules = [...this.#rules, ...added]
    return () => this.#remove(added)
  }

  /** What happens at this moment. Counts it. */
  planOf(moment: Moment): Plan {
    if (this.#rules.length === 0) return plainPlan
    const { plan, seen } = planCommand(this.#rules, this.#seen, moment)
    this.#seen = seen
    return plan
  }

  /** Where in a stretch of bytes something happens. */
  stopIn(stretch: Stretch): ByteStop | undefined {
    return this.#rules.length === 0 ? undefined : planBytes(this.#rules, stretch)
  }

  /** Resolves at the next {@link release} of that name. */
  released(name: string): Promise<void> {
    const waiting = this.#gates.get(name) ?? gate()
    this.#gates.set(name, waiting)
    return waiting.promise
  }

  /** Lets everything go on that waits for this name now; what comes later waits again. */
  release(name: string): void {
    this.#gates.get(name)?.resolve()
    this.#gates.delete(name)
  }

  #remove(removed: readonly Rule[]): void {
    const kept = this.#rules
      .map((rule, i) => ({ rule, seen: this.#seen[i] ?? 0 }))
      .filter(({ rule }) => !removed.includes(rule))
    this.#rules = kept.map(({ rule }) => rule)
    this.#seen = kept.map(({ seen }) => seen)
  }
}
