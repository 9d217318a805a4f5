import type { Blackhole, Cut, Fault, Onset } from './faults.ts'

/** What a direction does with every byte: its faults with the defaults filled in and a neutral value for the rest. */
export interface Plan {
  readonly delayMs: number
  readonly jitterMs: number
  readonly bytesPerSecond: number
  readonly burstBytes: number
  readonly blackhole: EffectiveOnset<Blackhole['how']>
  readonly cut: EffectiveOnset<Cut['how']>
  /** How much later than a byte the end is passed on; `Infinity` is never. */
  readonly endDelayMs: number
  readonly slice: Slicing | undefined
  readonly coalesce: Coalescing
  readonly corrupt: { readonly at: number; readonly xor: number }
  readonly duplicateAt: number
}

/** Something that begins at a byte or a moment, counted from when the plan was set. */
export interface EffectiveOnset<How extends string> extends Required<Onset> {
  readonly how: How
}

interface Slicing {
  readonly minBytes: number
  readonly maxBytes: number
  readonly gapMs: number
}

interface Coalescing {
  readonly minBytes: number
  readonly maxWaitMs: number
}

const never = Number.POSITIVE_INFINITY
// Timers are a millisecond or two late: a smaller bucket would lose throughput.
const defaultBurstMs = 50

/** A direction with no fault. */
const clearPlan: Plan = {
  delayMs: 0,
  jitterMs: 0,
  bytesPerSecond: never,
  burstBytes: never,
  blackhole: { how: 'discard', afterBytes: never, afterMs: never },
  cut: { how: 'end', afterBytes: never, afterMs: never },
  endDelayMs: 0,
  slice: undefined,
  coalesce: { minBytes: 0, maxWaitMs: 0 },
  corrupt: { at: never, xor: 0 },
  duplicateAt: never,
}

/** The plan that a list of faults amounts to. */
export function planOf(faults: readonly Fault[]): Plan {
  let plan = clearPlan
  for (const fault of faults) plan = { ...plan, ...planPartOf(plan, fault) }
  return plan
}

function planPartOf(plan: Plan, fault: Fault): Partial<Plan> {
  switch (fault.kind) {
    case 'latency':
      return { delayMs: fault.delayMs, jitterMs: fault.jitterMs ?? 0 }
    case 'bandwidth':
      return {
        bytesPerSecond: fault.bytesPerSecond,
        burstBytes: fault.burstBytes ?? defaultBurstBytes(fault.bytesPerSecond),
      }
    case 'blackhole':
      return { blackhole: effectiveOnset(fault.how, fault) }
    case 'cut':
      return { cut: effectiveOnset(fault.how, fault) }
    case 'half-open':
      return { endDelayMs: never }
    case 'slow-close':
      return { endDelayMs: Math.max(plan.endDelayMs, fault.delayMs) }
    case 'slice':
      return {
        slice: {
          minBytes: fault.minBytes ?? fault.maxBytes,
          maxBytes: fault.maxBytes,
          gapMs: fault.gapMs ?? 0,
        },
      }
    case 'coalesce':
      return { coalesce: { minBytes: fault.minBytes, maxWaitMs: fault.maxWaitMs } }
    case 'corrupt':
      return { corrupt: { at: fault.afterBytes, xor: fault.xor ?? 0xff } }
    case 'duplicate':
      return { duplicateAt: fault.afterBytes }
  }
}

function effectiveOnset<How extends string>(how: How, onset: Onset): EffectiveOnset<How> {
  const { afterBytes = never } = onset
  return { how, afterBytes, afterMs: onset.afterMs ?? (afterBytes === never ? 0 : never) }
}

function defaultBurstBytes(bytesPerSecond: number): number {
  return Math.max(1, Math.ceil((bytesPerSecond * defaultBurstMs) / 1000))
}
