import { UsageError } from '../harness/args.ts'

/** `1s`, `500ms`, or `default` for the servers' own, which is undefined. */
export function detectMsOf(given: string | undefined, fallbackMs: number): number | undefined {
  if (given === undefined) return fallbackMs
  if (given === 'default') return undefined
  const [, number, unit] = /^(\d+)(ms|s)$/.exec(given) ?? []
  if (number !== undefined) return Number(number) * (unit === 's' ? 1_000 : 1)
  throw new UsageError(`--detect: expected a time like 1s or 500ms, or default, got '${given}'`)
}
