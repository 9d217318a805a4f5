import { labError } from './codes.ts'

const unitsMs: readonly (readonly [unit: string, ms: number])[] = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]

/** Reads `500ms`, `1s`, `1.5s`, `5m` or `2h` as whole milliseconds; `what` names the place in the error. */
export function parseDuration(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim())
  const unitMs = unitsMs.find(([unit]) => unit === match?.[2])?.[1]
  const ms = Math.round(Number(match?.[1]) * (unitMs ?? Number.NaN))
  if (!Number.isSafeInteger(ms) || ms <= 0) {
    throw labError('usage', `${what}: '${text}' is not a duration; write it like 500ms, 1s, 30s or 5m`)
  }
  return ms
}

/** The shortest exact spelling of a duration, in the largest unit that divides it: 90000 is `90s`, 300000 is `5m`. */
export function formatDuration(ms: number): string {
  const fitting = unitsMs.find(([, unitMs]) => ms >= unitMs && ms % unitMs === 0)
  return fitting === undefined ? `${ms}ms` : `${ms / fitting[1]}${fitting[0]}`
}

/** A measured duration for people: `840 ms`, `6.2 s`. */
export function formatElapsed(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
