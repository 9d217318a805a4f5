import type { Fault } from '../../src/proxy/faults.ts'
import {
  type DirectionState,
  type HeldItem,
  nextStep,
  removeBytes,
  startProgress,
} from '../../src/proxy/next-step.ts'
import { planOf } from '../../src/proxy/plan.ts'

/** A chunk that arrives at that time. */
export function bytes(text: string | Buffer, arrivedAtMs = 0, luck = 0): HeldItem {
  return { kind: 'bytes', bytes: Buffer.from(text), arrivedAtMs, jitterShare: luck }
}

/** The sender's end, at that time. */
export function ending(kind: 'end' | 'reset', arrivedAtMs = 0): HeldItem {
  return { kind, arrivedAtMs, jitterShare: 0 }
}

/** The moment at `nowMs` of a direction whose faults were set at 0. */
export function stateOf(faults: readonly Fault[], held: readonly HeldItem[], nowMs = 0): DirectionState {
  return { plan: planOf(faults), progress: startProgress(0), held, hasRoom: true, nowMs, sliceShare: 0 }
}

/** Something that left a direction. */
export interface Departure {
  readonly atMs: number
  readonly what: string
}

/** All that leaves a direction, by asking for one step after the other in virtual time. */
export function departures(
  faults: readonly Fault[],
  arrivals: readonly HeldItem[],
  untilMs = 60_000,
): Departure[] {
  const plan = planOf(faults)
  const coming = [...arrivals]
  const held: HeldItem[] = []
  const left: Departure[] = []
  let progress = startProgress(0)
  for (let nowMs = 0; nowMs <= untilMs; ) {
    while ((coming[0]?.arrivedAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) held.push(coming.shift()!)
    const step = nextStep({
      plan,
      progress,
      held,
      hasRoom: true,
      nowMs,
      sliceShare: (left.length * 0.37) % 1,
    })
    switch (step.kind) {
      case 'pass':
        removeBytes(held, step.taken)
        progress = step.progress
        left.push({ atMs: nowMs, what: step.bytes.toString('latin1') })
        break
      case 'discard':
        held.splice(0, held.length, ...held.filter(({ kind }) => kind !== 'bytes'))
        break
      case 'finish':
        held.shift()
        left.push({ atMs: nowMs, what: `<${step.how}>` })
        break
      case 'cut':
        left.push({ atMs: nowMs, what: `<cut ${step.how}>` })
        return left
      case 'wait':
        nowMs = Math.min(step.untilMs, coming[0]?.arrivedAtMs ?? Number.POSITIVE_INFINITY)
        break
    }
  }
  return left
}
