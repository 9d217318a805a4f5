import { milliseconds, Problems } from '@ha/core/driver'
import { labError } from './codes.ts'

/** The longest fault: a week. */
const maxFaultMs = 604_800_000
/** The longest silence that a server shall bear: a minute. */
const maxDetectMs = 60_000
/** The longest wait: a day. */
const maxWaitMs = 86_400_000

/** Returns how long a fault lasts, or says what was expected; `where` names the place. */
export function checkFaultMs(value: unknown, where: string, fallback: number): number {
  return checkMs(value, where, { default: fallback, min: 1, max: maxFaultMs })
}

/** Returns how soon servers shall notice a silent one, null when nobody asked; or says what was expected. */
export function checkDetectMs(value: number | undefined, leastMs: number): number | null {
  if (value === undefined) return null
  if (!Number.isInteger(value) || value < leastMs || value > maxDetectMs) {
    throw labError(
      'config-invalid',
      `detectMs: expected ${leastMs} to ${maxDetectMs} milliseconds, got ${value}`,
    )
  }
  return value
}

/** Returns how long a wait may last, or says what was expected; `where` names the place. */
export function checkWaitMs(value: unknown, where: string, fallback: number): number {
  return checkMs(value, where, { default: fallback, min: 1, max: maxWaitMs })
}

function checkMs(
  value: unknown,
  where: string,
  range: { readonly default: number; readonly min: number; readonly max: number },
): number {
  const problems = new Problems()
  const ms = milliseconds(range).read(value, where, problems)
  problems.throwIfAny()
  return ms
}
