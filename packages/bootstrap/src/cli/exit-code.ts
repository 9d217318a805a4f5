import type { BootstrapCode } from '../model/codes.ts'

/** What a script sees: done, not healthy, wrongly typed, refused for safety, out of time, interrupted. */
export const exitCodes = { ok: 0, unhealthy: 1, usage: 2, refused: 3, timeout: 4, interrupted: 130 } as const

/** An exit status of hactl. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

// Everything that is not listed is a failure of the ordinary kind.
const byCode: Partial<Record<BootstrapCode, ExitCode>> = {
  usage: exitCodes.usage,
  'config-invalid': exitCodes.usage,
  'name-taken': exitCodes.usage,
  'node-unknown': exitCodes.usage,
  'lab-unknown': exitCodes.usage,
  'lab-ambiguous': exitCodes.usage,
  'fault-refused': exitCodes.refused,
  'recovery-refused': exitCodes.refused,
  'lab-exists': exitCodes.refused,
  'memory-short': exitCodes.refused,
  'port-taken': exitCodes.refused,
  'secret-mode': exitCodes.refused,
  'timed-out': exitCodes.timeout,
  'not-agreed': exitCodes.timeout,
  aborted: exitCodes.interrupted,
}

/** The exit status that fits an error's code. */
export function exitCodeOf(code: string): ExitCode {
  return byCode[code as BootstrapCode] ?? exitCodes.unhealthy
}
