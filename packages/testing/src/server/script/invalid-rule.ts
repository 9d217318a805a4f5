import { HaError } from '@ha/core'

/** Why a rule could never match: what is expected where in it. */
export function invalidRule(path: string, expected: string): HaError {
  return new HaError('config-invalid', `rule: ${path} must be ${expected}`)
}

/** Throws `config-invalid` unless a number of a rule is whole and not below `from`. */
export function checkWhole(path: string, value: number, from: number): void {
  if (!Number.isInteger(value) || value < from)
    throw invalidRule(path, `a whole number from ${from}, not ${value}`)
}
