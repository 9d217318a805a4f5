import { checked, count, flag, group, milliseconds, type OptionTable, oneOf } from '@ha/core/driver'
import { resolveOptions } from '../resolve-options.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { FitnessRules } from './fitness.ts'
import type { HealthGate } from './health-gate.ts'
import type { OnUnhealthy } from './registration-state.ts'
import { whenGiven } from './when-given.ts'

/** How an instance is registered. */
export interface RegisterOptions {
  /** How it finds out whether it works. Default: it does for as long as its process holds a session. */
  readonly health?: HealthGate | undefined
  /** What becomes of it when its checks fail: it is taken off the list, or listed as out of service. Default `remove`. */
  readonly onUnhealthy?: OnUnhealthy | undefined
  /** How long it has to be well before it is listed the first time, in milliseconds. Default 0. */
  readonly warmupMs?: number | undefined
  /**
   * Whether a node of the same id that another session holds is an earlier life of ours, and replaced at once. Default
   * false: its end is waited for.
   */
  readonly takeover?: boolean | undefined
}

/** A health gate whose numbers are all known. */
export interface GateSettings extends Pick<HealthGate, 'check'> {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly rules: FitnessRules
}

export interface RegisterSettings {
  readonly gate: GateSettings | undefined
  readonly onUnhealthy: OnUnhealthy
  readonly warmupMs: number
  readonly takeover: boolean
}

/** The options of a registration, checked and completed. */
export function resolveRegister(options: RegisterOptions, what: string): RegisterSettings {
  const { health, ...settings } = resolveOptions(registerTable, options, what)
  const gate = health && completed(health, settings.warmupMs, `${what}.health`)
  return Object.freeze({ ...settings, gate })
}

interface CheckedGate extends Omit<FitnessRules, 'warmupMs'>, Pick<HealthGate, 'check'> {
  readonly intervalMs: number
  readonly timeoutMs: number | undefined
}

const hour = 3_600_000

const gateTable: OptionTable<CheckedGate> = {
  check: checked(readCheck, () => false),
  intervalMs: milliseconds({ default: 1_000, min: 10, max: hour }),
  // The default is intervalMs.
  timeoutMs: whenGiven(milliseconds({ default: 1_000, min: 1, max: hour })),
  failures: count({ default: 3, min: 1, max: 1_000 }),
  successes: count({ default: 2, min: 1, max: 1_000 }),
  minDwellMs: milliseconds({ default: 10_000, min: 0, max: 24 * hour }),
}

const registerTable: OptionTable<CheckedRegister> = {
  health: whenGiven(group(gateTable)),
  onUnhealthy: oneOf(['remove', 'flag'], 'remove'),
  warmupMs: milliseconds({ default: 0, min: 0, max: hour }),
  takeover: flag(false),
}

interface CheckedRegister extends Omit<RegisterSettings, 'gate'> {
  readonly health: CheckedGate | undefined
}

function completed(
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

/** How long something drains, checked. */
export function checkDrainMs(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 24 * hour) return value
  throw new ZookeeperError(
    'config-invalid',
    `drain: expected a number of milliseconds from 0 to ${24 * hour}`,
  )
}

function readCheck(value: unknown, path: string): HealthGate['check'] {
  if (typeof value === 'function') return value as HealthGate['check']
  throw new ZookeeperError(
    'config-invalid',
    `${path}: expected a function that says whether the instance works`,
  )
}
