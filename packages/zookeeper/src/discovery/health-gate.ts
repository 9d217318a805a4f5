import { type Clock, HaError } from '@ha/core'
import {
  asError,
  checked,
  count,
  detachStack,
  milliseconds,
  type OptionTable,
  optional,
  timerGrainMs,
  withDeadline,
} from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'

/** How an instance checks its own health, and when it is withdrawn and listed again. */
export interface HealthGate {
  /** Returns whether the instance is healthy; an exception means no. It should end when the signal fires. */
  readonly check: (signal: AbortSignal) => boolean | Promise<boolean>
  /** The interval of the checks, in milliseconds. Default 1 000. */
  readonly intervalMs?: number | undefined
  /** The timeout of a check, in milliseconds, at most `intervalMs`; a timeout means no. Default: `intervalMs`. */
  readonly timeoutMs?: number | undefined
  /** The number of consecutive failed checks that withdraw the instance. Default 3. */
  readonly failures?: number | undefined
  /** The number of consecutive passed checks before it is listed again. Default 2. */
  readonly successes?: number | undefined
  /**
   * The time without a failed check before it is listed again, in milliseconds. An instance that flaps faster is withdrawn
   * once and stays withdrawn. Default 10 000.
   */
  readonly minDwellMs?: number | undefined
}

/** A health gate with all defaults filled in. */
export interface GateSettings extends Pick<HealthGate, 'check'> {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly rules: ReadinessRules
}

/** The result of one check. */
export type CheckResult = { readonly passed: true } | { readonly passed: false; readonly error: Error }

type CheckSettings = Pick<GateSettings, 'check' | 'intervalMs' | 'timeoutMs'>

/** Runs the check of a health gate at its interval. A check that hangs is not called again before it has returned. */
export class HealthCheckLoop {
  readonly #settings: CheckSettings
  readonly #clock: Clock
  #hanging = false

  constructor(settings: CheckSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  /** Passes each result to `onResult` until the signal fires; rejects with its reason. */
  async run(signal: AbortSignal, onResult: (result: CheckResult) => void): Promise<never> {
    for (;;) {
      const dueAtMs = this.#clock.now() + this.#settings.intervalMs
      onResult(await this.#checkOnce(signal))
      await this.#clock.sleep(dueAtMs - this.#clock.now(), signal)
    }
  }

  async #checkOnce(signal: AbortSignal): Promise<CheckResult> {
    const { timeoutMs } = this.#settings
    const timedOut = `the health check did not answer within ${timeoutMs} ms`
    if (this.#hanging) return failedCheck(`${timedOut} and has not returned since`)
    const expired = (): HaError => new HaError('timed-out', timedOut)
    try {
      const limit = { timeoutMs, signal, expired }
      const passed = await withDeadline(this.#clock, limit, (inner) => this.#call(inner))
      return passed ? { passed } : failedCheck('the health check returned false')
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

/** Whether an instance is ready to be listed, by its own checks. */
export type Readiness =
  /** Not listed yet; without a failed check since `sinceMs`. */
  | { readonly kind: 'starting'; readonly successes: number; readonly sinceMs: number }
  /** Listed; the last `failures` checks failed. */
  | { readonly kind: 'ready'; readonly failures: number }
  /** Withdrawn; the last `successes` checks, all since `sinceMs`, passed. */
  | { readonly kind: 'unready'; readonly successes: number; readonly sinceMs: number }

/** When an instance is withdrawn and listed again. */
export interface ReadinessRules {
  /** The number of consecutive failed checks before it is withdrawn. */
  readonly failures: number
  /** The number of consecutive passed checks before it is listed again. */
  readonly successes: number
  /** The time without a failed check before it is listed the first time, in milliseconds. */
  readonly warmupMs: number
  /** The time without a failed check before it is listed again, in milliseconds. */
  readonly minDwellMs: number
}

/** The readiness before the first check. */
export function initialReadiness(nowMs: number): Readiness {
  return { kind: 'starting', successes: 0, sinceMs: nowMs }
}

/**
 * The readiness after another check. An instance is withdrawn at once, because clients must not pick an instance that does
 * not work. It is listed again only after a time without any failure, so that an instance that flaps faster is written
 * once and stays withdrawn.
 */
export function afterCheck(
  readiness: Readiness,
  passed: boolean,
  nowMs: number,
  rules: ReadinessRules,
): Readiness {
  if (readiness.kind === 'ready') return whileReady(readiness.failures, passed, nowMs, rules)
  if (!passed) return { ...readiness, successes: 0, sinceMs: nowMs }
  const successes = readiness.successes + 1
  const [needed, requiredMs] =
    readiness.kind === 'starting' ? [1, rules.warmupMs] : [rules.successes, rules.minDwellMs]
  const healthyForMs = nowMs - readiness.sinceMs
  return successes >= needed && requiredMs - healthyForMs < timerGrainMs
    ? { kind: 'ready', failures: 0 }
    : { ...readiness, successes }
}

function whileReady(
  failuresBefore: number,
  passed: boolean,
  nowMs: number,
  rules: ReadinessRules,
): Readiness {
  const failures = passed ? 0 : failuresBefore + 1
  return failures >= rules.failures
    ? { kind: 'unready', successes: 0, sinceMs: nowMs }
    : { kind: 'ready', failures }
}

/** The options of a health gate, checked. */
export interface CheckedGate extends Omit<ReadinessRules, 'warmupMs'>, Pick<HealthGate, 'check'> {
  readonly intervalMs: number
  readonly timeoutMs: number | undefined
}

const hourMs = 3_600_000

/** The options of a health gate; {@link completeGate} completes `timeoutMs`. */
export const gateTable: OptionTable<CheckedGate> = {
  check: checked(readCheck, () => false),
  intervalMs: milliseconds({ default: 1_000, min: 10, max: hourMs }),
  // The default is intervalMs.
  timeoutMs: optional(milliseconds({ default: 1_000, min: 1, max: hourMs })),
  failures: count({ default: 3, min: 1, max: 1_000 }),
  successes: count({ default: 2, min: 1, max: 1_000 }),
  minDwellMs: milliseconds({ default: 10_000, min: 0, max: 24 * hourMs }),
}

/** Completes a health gate. Throws `config-invalid` when the timeout is longer than the interval. */
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
    `${path}: expected a function that returns whether the instance is healthy`,
  )
}
