import { type Clock, HaError } from '@ha/core'
import {
  asError,
  checked,
  count,
  detachStack,
  milliseconds,
  type OptionTable,
  timerGrainMs,
  withDeadline,
} from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'
import { optional } from './optional.ts'

/** How an instance finds out whether it works, and what follows from the answers. */
export interface HealthGate {
  /** Says whether the instance works; what it throws means no. It should end when the signal fires. */
  readonly check: (signal: AbortSignal) => boolean | Promise<boolean>
  /** How often it is asked, in milliseconds. Default 1 000. */
  readonly intervalMs?: number | undefined
  /** How long an answer may take, in milliseconds, at most `intervalMs`: no answer means no. Default: `intervalMs`. */
  readonly timeoutMs?: number | undefined
  /** How many noes in a row withdraw it. Default 3. */
  readonly failures?: number | undefined
  /** How many yeses in a row it takes to come back. Default 2. */
  readonly successes?: number | undefined
  /**
   * How long there must not be a single no before it comes back, in milliseconds: what flaps faster than this is
   * withdrawn once and stays away. Default 10 000.
   */
  readonly minDwellMs?: number | undefined
}

/** A health gate whose numbers are all known. */
export interface GateSettings extends Pick<HealthGate, 'check'> {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly rules: ReadinessRules
}

/** What a check said. */
export type CheckResult = { readonly passed: true } | { readonly passed: false; readonly error: Error }

type CheckSettings = Pick<GateSettings, 'check' | 'intervalMs' | 'timeoutMs'>

/** Asks a health gate at its interval; one that hangs is asked again only when it has returned. */
export class HealthCheckLoop {
  readonly #settings: CheckSettings
  readonly #clock: Clock
  #hanging = false

  constructor(asking: CheckSettings, clock: Clock) {
    this.#settings = asking
    this.#clock = clock
  }

  /** Asks and hands on the answers until the signal fires; rejects with its reason. */
  async run(signal: AbortSignal, hear: (answer: CheckResult) => void): Promise<never> {
    for (;;) {
      const dueAtMs = this.#clock.now() + this.#settings.intervalMs
      hear(await this.#checkOnce(signal))
      await this.#clock.sleep(dueAtMs - this.#clock.now(), signal)
    }
  }

  async #checkOnce(signal: AbortSignal): Promise<CheckResult> {
    const { timeoutMs } = this.#settings
    if (this.#hanging)
      return failedCheck(`the health check gave no answer in ${timeoutMs} ms and has not returned since`)
    const expired = (): HaError =>
      new HaError('timed-out', `the health check gave no answer in ${timeoutMs} ms`)
    try {
      const limit = { timeoutMs, signal, expired }
      const passed = await withDeadline(this.#clock, limit, (inner) => this.#call(inner))
      return passed ? { passed } : failedCheck('the health check said no')
    } catch (thrown) {
      signal.throwIfAborted()
      return { passed: false, error: detachStack(asError(thrown)) }
    }
  }

  async #call(signal: AbortSignal): Promise<boolean> {
    this.#hanging = true
    try {
      return (await this.#settings.check(signal)) === true
    } finally {
      this.#hanging = false
    }
  }
}

function failedCheck(message: string): CheckResult {
  return { passed: false, error: detachStack(new HaError('rejected', message)) }
}

/** Whether an instance is fit to be offered, by what its own checks have said. */
export type Readiness =
  /** It has not been offered yet: well without a break since `sinceMs`. */
  | { readonly kind: 'warming'; readonly successes: number; readonly sinceMs: number }
  /** It is offered; its last `failures` checks failed. */
  | { readonly kind: 'fit'; readonly failures: number }
  /** It was taken back; its last `successes` checks, all since `sinceMs`, passed. */
  | { readonly kind: 'unfit'; readonly successes: number; readonly sinceMs: number }

export interface ReadinessRules {
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
export function initialReadiness(nowMs: number): Readiness {
  return { kind: 'warming', successes: 0, sinceMs: nowMs }
}

/**
 * What is believed after one more check. It is taken back at once, for an instance that does not work should not be
 * picked; it comes back only after a time without a single failure, so that one that flaps faster than that is written
 * once and stays out.
 */
export function afterCheck(
  fitness: Readiness,
  passed: boolean,
  nowMs: number,
  rules: ReadinessRules,
): Readiness {
  if (fitness.kind === 'fit') return whileReady(fitness.failures, passed, nowMs, rules)
  if (!passed) return { ...fitness, successes: 0, sinceMs: nowMs }
  const successes = fitness.successes + 1
  const [needed, wellMs] =
    fitness.kind === 'warming' ? [1, rules.warmupMs] : [rules.successes, rules.minDwellMs]
  const wellForMs = nowMs - fitness.sinceMs
  return successes >= needed && wellMs - wellForMs < timerGrainMs
    ? { kind: 'fit', failures: 0 }
    : { ...fitness, successes }
}

function whileReady(
  failuresBefore: number,
  passed: boolean,
  nowMs: number,
  rules: ReadinessRules,
): Readiness {
  const failures = passed ? 0 : failuresBefore + 1
  return failures >= rules.failures
    ? { kind: 'unfit', successes: 0, sinceMs: nowMs }
    : { kind: 'fit', failures }
}

export interface CheckedGate extends Omit<ReadinessRules, 'warmupMs'>, Pick<HealthGate, 'check'> {
  readonly intervalMs: number
  readonly timeoutMs: number | undefined
}

const hour = 3_600_000

/** The options of a health gate; `timeoutMs` is completed by {@link completeGate}. */
export const gateTable: OptionTable<CheckedGate> = {
  check: checked(readCheck, () => false),
  intervalMs: milliseconds({ default: 1_000, min: 10, max: hour }),
  // The default is intervalMs.
  timeoutMs: optional(milliseconds({ default: 1_000, min: 1, max: hour })),
  failures: count({ default: 3, min: 1, max: 1_000 }),
  successes: count({ default: 2, min: 1, max: 1_000 }),
  minDwellMs: milliseconds({ default: 10_000, min: 0, max: 24 * hour }),
}

/** Completes a checked health gate; throws `config-invalid` when a check may take longer than its interval. */
export function completeGate(
  { check, intervalMs, timeoutMs = intervalMs, ...rules }: CheckedGate,
  warmupMs: number,
  what: string,
): GateSettings {
  if (timeoutMs > intervalMs) {
    throw new ZookeeperError(
      'config-invalid',
      `${what}.timeoutMs: expected at most intervalMs, which is ${intervalMs}`,
    )
  }
  return { check, intervalMs, timeoutMs, rules: { ...rules, warmupMs } }
}

function readCheck(value: unknown, path: string): HealthGate['check'] {
  if (typeof value === 'function') return value as HealthGate['check']
  throw new ZookeeperError(
    'config-invalid',
    `${path}: expected a function that says whether the instance works`,
  )
}
