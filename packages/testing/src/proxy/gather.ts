import type { Moment } from './moment.ts'
import { dueAtMs, type Parcel } from './parcel.ts'

/** How many bytes may leave now; with 0 of them, when to look again. */
interface Portion {
  readonly bytes: number
  readonly untilMs: number
}

/** The bytes that may leave together: the oldest chunk, or with a coalescer all that are due, once it lets go of them. */
export function gather(moment: Moment): Portion {
  const { plan, progress, nowMs, held } = moment
  if (plan.coalesce.minBytes === 0) return { bytes: sizeOf(held.slice(0, 1)), untilMs: nowMs }
  if (progress.gatheredBytes > 0) return { bytes: progress.gatheredBytes, untilMs: nowMs }
  return gatherDue(moment)
}

// It lets go when there is enough, when the oldest has waited long enough, and when nothing can follow any more.
function gatherDue({ plan, held, nowMs }: Moment): Portion {
  const { minBytes, maxWaitMs } = plan.coalesce
  const stop = held.findIndex((parcel) => parcel.kind !== 'bytes' || dueAtMs(plan, parcel) > nowMs)
  const due = stop === -1 ? held : held.slice(0, stop)
  const next = stop === -1 ? undefined : held[stop]
  const patienceEndsMs = Math.min(...due.slice(0, 1).map((parcel) => dueAtMs(plan, parcel) + maxWaitMs))
  const bytes = sizeOf(due)
  const isLast = next !== undefined && next.kind !== 'bytes'
  if (bytes >= minBytes || patienceEndsMs <= nowMs || isLast) return { bytes, untilMs: nowMs }
  return {
    bytes: 0,
    untilMs: Math.min(patienceEndsMs, next === undefined ? patienceEndsMs : dueAtMs(plan, next)),
  }
}

function sizeOf(parcels: readonly Parcel[]): number {
  return parcels.reduce((sum, parcel) => sum + (parcel.kind === 'bytes' ? parcel.bytes.length : 0), 0)
}
