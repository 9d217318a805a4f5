import type { Parcel } from './parcel.ts'
import type { Plan } from './plan.ts'

/** Everything that decides what happens next in one direction. */
export interface Moment {
  readonly plan: Plan
  readonly progress: Progress
  /** What was read and has not left, oldest first. */
  readonly held: readonly Parcel[]
  /** Whether the receiver takes more bytes now. */
  readonly hasRoom: boolean
  readonly nowMs: number
  /** From 0 to 1: the share of the next slice between its smallest and its largest size. */
  readonly luck: number
}

/** How far a direction has come with its plan. */
export interface Progress {
  /** When the plan was set; its onsets count from here. */
  readonly sinceMs: number
  /** How many of the sender's bytes have passed since. */
  readonly passedBytes: number
  /** When the bandwidth's bucket was or will be empty. */
  readonly emptyAtMs: number
  /** The next slice leaves no earlier. */
  readonly nextSliceAtMs: number
  /** Bytes that the coalescer let go and that slicing, bandwidth or the receiver holds up. */
  readonly gatheredBytes: number
}

/** The progress of a plan that is set now. */
export function begin(nowMs: number): Progress {
  const past = Number.NEGATIVE_INFINITY
  return { sinceMs: nowMs, passedBytes: 0, emptyAtMs: past, nextSliceAtMs: past, gatheredBytes: 0 }
}
