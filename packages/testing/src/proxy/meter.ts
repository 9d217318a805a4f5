import type { Plan } from './plan.ts'

// One helping is what the line carries in this time: large enough for timers, small enough to look like a stream.
const helpingMs = 10
// Sums of fractions miss a whole byte by less than this.
const slack = 1e-6

/** How many bytes a thin line carries now; `0` with the moment at which it will carry some. */
export function allowance(
  plan: Plan,
  emptyAtMs: number,
  at: { readonly nowMs: number; readonly wanted: number },
): { readonly bytes: number; readonly untilMs: number } {
  const { bytesPerSecond, burstBytes } = plan
  if (bytesPerSecond === Number.POSITIVE_INFINITY) return { bytes: at.wanted, untilMs: at.nowMs }
  const perMs = bytesPerSecond / 1000
  const tokens = Math.min(burstBytes, (at.nowMs - emptyAtMs) * perMs) + slack
  const helping = Math.min(at.wanted, burstBytes, Math.max(1, Math.floor(perMs * helpingMs)))
  return tokens < helping
    ? { bytes: 0, untilMs: emptyAtMs + helping / perMs }
    : { bytes: Math.min(at.wanted, Math.floor(tokens)), untilMs: at.nowMs }
}

/** When the bucket is empty once `bytes` have been taken: a bucket that was full for long holds one burst, not more. */
export function emptyAfter(
  plan: Plan,
  emptyAtMs: number,
  at: { readonly nowMs: number; readonly bytes: number },
): number {
  if (plan.bytesPerSecond === Number.POSITIVE_INFINITY) return emptyAtMs
  const perMs = plan.bytesPerSecond / 1000
  return Math.max(emptyAtMs, at.nowMs - plan.burstBytes / perMs) + at.bytes / perMs
}
