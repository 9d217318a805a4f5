import type { Fault } from '../../src/proxy/fault.ts'
import { begin, type Moment } from '../../src/proxy/moment.ts'
import { type Parcel, removeBytes } from '../../src/proxy/parcel.ts'
import { planOf } from '../../src/proxy/plan.ts'
import { nextStep } from '../../src/proxy/shape.ts'

/** A chunk that arrives at that time. */
export function bytes(text: string | Buffer, arrivedAtMs = 0, luck = 0): Parcel {
  return { kind: 'bytes', bytes: Buffer.from(text), arrivedAtMs, luck }
}

/** The sender's end, at that time. */
export function ending(kind: 'end' | 'reset', arrivedAtMs = 0): Parcel {
  return { kind, arrivedAtMs, luck: 0 }
}

/** The moment at `nowMs` of a direction whose faults were set at 0. */
export function momentOf(faults: readonly Fault[], held: readonly Parcel[], nowMs = 0): Moment {
  return { plan: planOf(faults), progress: begin(0), held, hasRoom: true, nowMs, luck: 0 }
}

/** Something that left a direction. */
export interface Departure {
  readonly atMs: number
  readonly what: string
}

/** All that leaves a direction, by asking for one step after the other in virtual time. */
export function departures(
  faults: readonly Fault[],
  arrivals: readonly Parcel[],
  untilMs = 60_000,
): Departure[] {
  const plan = planOf(faults)
  const coming = [...arrivals]
  const held: Parcel[] = []
  const left: Departure[] = []
  let progress = begin(0)
  for (let nowMs = 0; nowMs <= untilMs; ) {
    while ((coming[0]?.arrivedAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) held.push(coming.shift()!)
    const step = nextStep({ plan, progress, held, hasRoom: true, nowMs, luck: (left.length * 0.37) % 1 })
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
