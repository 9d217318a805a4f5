import type { CutHow } from './faults.ts'
import type { EffectiveOnset, Plan } from './plan.ts'

/** What to do now in one direction. */
export type Step = Pass | Discard | Finish | CutNow | Wait

/** Write `bytes`, which stand for the first `taken` held ones. */
interface Pass {
  readonly kind: 'pass'
  readonly taken: number
  readonly bytes: Buffer
  /** Nothing else is written, and no RST sent, before the receiver could read these. */
  readonly alone: boolean
  readonly progress: PlanProgress
}

/** Drop all held bytes. */
interface Discard {
  readonly kind: 'discard'
}

/** Pass the end of the sender on to the receiver. */
interface Finish {
  readonly kind: 'finish'
  readonly how: 'end' | 'reset'
}

interface CutNow {
  readonly kind: 'cut'
  readonly how: CutHow
}

/** Nothing, until then or until the next event. */
interface Wait {
  readonly kind: 'wait'
  readonly untilMs: number
}

const never = Number.POSITIVE_INFINITY
// As much as one read brings: a longer write would only move what is held from our queue to the socket's.
const longestWriteBytes = 65_536

/** What happens next in one direction. Every fault is interpreted here, and nowhere else. */
export function nextStep(state: DirectionState): Step {
  const { plan } = state
  if (isCutDue(state)) return { kind: 'cut', how: plan.cut.how }
  const step = hasBegun(plan.blackhole, state) ? stepInBlackhole(state) : stepForOldest(state)
  return step.kind === 'wait' ? wait(Math.min(step.untilMs, nextOnsetMs(state))) : step
}

/** Whether to go on reading from the sender. */
export function keepsReading(state: DirectionState, isFull: boolean): boolean {
  const { blackhole } = state.plan
  return hasBegun(blackhole, state) ? blackhole.how === 'discard' : state.hasRoom && !isFull
}

function hasBegun(what: EffectiveOnset<string>, { progress, nowMs }: DirectionState): boolean {
  return progress.passedBytes >= what.afterBytes || nowMs >= progress.sinceMs + what.afterMs
}

// A cut after a byte waits until the receiver took that byte; a cut by time does not wait.
function isCutDue(state: DirectionState): boolean {
  const { plan, hasRoom } = state
  return hasBegun(hasRoom ? plan.cut : { ...plan.cut, afterBytes: never }, state)
}

function nextOnsetMs({ plan, progress, nowMs }: DirectionState): number {
  const onsets = [plan.cut, plan.blackhole].map(({ afterMs }) => progress.sinceMs + afterMs)
  return Math.min(...onsets.filter((onsetMs) => onsetMs > nowMs))
}

// The sender's end stays behind: no FIN comes out of a blackhole either.
function stepInBlackhole({ plan, held }: DirectionState): Step {
  const swallows = plan.blackhole.how === 'discard' && held.some(({ kind }) => kind === 'bytes')
  return swallows ? { kind: 'discard' } : wait(never)
}

function stepForOldest(state: DirectionState): Step {
  const [oldest] = state.held
  if (oldest === undefined || !state.hasRoom) return wait(never)
  const dueMs = dueAtMs(state.plan, oldest)
  if (dueMs > state.nowMs) return wait(dueMs)
  return oldest.kind === 'bytes' ? stepForBytes(state) : { kind: 'finish', how: oldest.kind }
}

function stepForBytes(state: DirectionState): Step {
  const { plan, progress, nowMs } = state
  const ready = coalesce(state)
  if (ready.bytes === 0) return wait(ready.untilMs)
  if (progress.nextSliceAtMs > nowMs) return wait(progress.nextSliceAtMs)
  const wanted = Math.min(ready.bytes, sliceBytes(state), bytesUntilOnset(state), longestWriteOf(state))
  const allowed = bandwidthAllowance(plan, progress.emptyAtMs, { nowMs, wanted })
  if (allowed.bytes === 0) return wait(allowed.untilMs)
  return pass(state, { taken: allowed.bytes, coalescedBytes: ready.bytes })
}

function sliceBytes({ plan, sliceShare: luck }: DirectionState): number {
  if (plan.slice === undefined) return never
  const { minBytes, maxBytes } = plan.slice
  return minBytes + Math.floor(luck * (maxBytes - minBytes + 1))
}

// A fault that begins behind a byte lets exactly the bytes before it pass.
function bytesUntilOnset({ plan, progress }: DirectionState): number {
  return Math.min(plan.cut.afterBytes, plan.blackhole.afterBytes) - progress.passedBytes
}

function longestWriteOf({ plan }: DirectionState): number {
  return Math.max(longestWriteBytes, plan.coalesce.minBytes)
}

function pass(
  { plan, progress, held, nowMs }: DirectionState,
  choice: { readonly taken: number; readonly coalescedBytes: number },
): Pass {
  const { taken, coalescedBytes } = choice
  const passedBytes = progress.passedBytes + taken
  return {
    kind: 'pass',
    taken,
    bytes: alterBytes(plan, progress.passedBytes, firstBytes(held, taken)),
    alone: plan.slice !== undefined || passedBytes === plan.cut.afterBytes || held.at(-1)?.kind === 'reset',
    progress: {
      sinceMs: progress.sinceMs,
      passedBytes,
      emptyAtMs: bucketEmptyAtMs(plan, progress.emptyAtMs, { nowMs, bytes: taken }),
      nextSliceAtMs: nowMs + (plan.slice?.gapMs ?? 0),
      coalescedBytes: coalescedBytes - taken,
    },
  }
}

function wait(untilMs: number): Wait {
  return { kind: 'wait', untilMs }
}

/** The state of one direction, which decides its next step. */
export interface DirectionState {
  readonly plan: Plan
  readonly progress: PlanProgress
  /** What was read and has not left, oldest first. */
  readonly held: readonly HeldItem[]
  /** Whether the receiver takes more bytes now. */
  readonly hasRoom: boolean
  readonly nowMs: number
  /** From 0 to 1: the share of the next slice between its smallest and its largest size. */
  readonly sliceShare: number
}

/** The progress of a direction under its plan. */
export interface PlanProgress {
  /** When the plan was set; its onsets count from here. */
  readonly sinceMs: number
  /** How many of the sender's bytes have passed since. */
  readonly passedBytes: number
  /** When the bandwidth's bucket was or will be empty. */
  readonly emptyAtMs: number
  /** The next slice leaves no earlier. */
  readonly nextSliceAtMs: number
  /** Bytes that the coalescer has released and that slicing, bandwidth or the receiver delays. */
  readonly coalescedBytes: number
}

/** The progress of a plan that is set now. */
export function startProgress(nowMs: number): PlanProgress {
  const past = Number.NEGATIVE_INFINITY
  return { sinceMs: nowMs, passedBytes: 0, emptyAtMs: past, nextSliceAtMs: past, coalescedBytes: 0 }
}

/** What the proxy holds for the receiver: a chunk of bytes, or the end of the sender. */
export type HeldItem = HeldBytes | HeldEnd

interface HeldBytes extends Arrival {
  readonly kind: 'bytes'
  readonly bytes: Buffer
}

interface HeldEnd extends Arrival {
  readonly kind: 'end' | 'reset'
}

interface Arrival {
  readonly arrivedAtMs: number
  /** From 0 to 1: its share of the jitter. */
  readonly jitterShare: number
}

/** When an item may leave. It follows the current plan: lifting a fault releases what it held. */
function dueAtMs(plan: Plan, parcel: HeldItem): number {
  const lateMs = parcel.kind === 'bytes' ? 0 : plan.endDelayMs
  return parcel.arrivedAtMs + plan.delayMs + plan.jitterMs * parcel.jitterShare + lateMs
}

/** The first `count` bytes of what is held; a copy only when they lie in more than one chunk. */
function firstBytes(held: readonly HeldItem[], count: number): Buffer {
  const chunks: Buffer[] = []
  let missing = count
  for (const parcel of held) {
    if (missing === 0 || parcel.kind !== 'bytes') break
    const chunk = parcel.bytes.subarray(0, missing)
    chunks.push(chunk)
    missing -= chunk.length
  }
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
}

/** Takes the first `count` bytes out of what is held. */
export function removeBytes(held: HeldItem[], count: number): void {
  let left = count
  for (let head = held[0]; left > 0 && head?.kind === 'bytes'; head = held[0]) {
    if (head.bytes.length > left) {
      held[0] = { ...head, bytes: head.bytes.subarray(left) }
      return
    }
    left -= head.bytes.length
    held.shift()
  }
}

/** How many bytes may leave now; with 0 of them, when to look again. */
interface Portion {
  readonly bytes: number
  readonly untilMs: number
}

/** The bytes that may leave together: the oldest chunk, or with a coalescer all that are due, once it releases them. */
function coalesce(state: DirectionState): Portion {
  const { plan, progress, nowMs, held } = state
  if (plan.coalesce.minBytes === 0) return { bytes: totalBytes(held.slice(0, 1)), untilMs: nowMs }
  if (progress.coalescedBytes > 0) return { bytes: progress.coalescedBytes, untilMs: nowMs }
  return coalesceDue(state)
}

// The coalescer releases bytes when there are enough, when the oldest have waited long enough, and when nothing can
// follow.
function coalesceDue({ plan, held, nowMs }: DirectionState): Portion {
  const { minBytes, maxWaitMs } = plan.coalesce
  const stop = held.findIndex((parcel) => parcel.kind !== 'bytes' || dueAtMs(plan, parcel) > nowMs)
  const due = stop === -1 ? held : held.slice(0, stop)
  const next = stop === -1 ? undefined : held[stop]
  const patienceEndsMs = Math.min(...due.slice(0, 1).map((parcel) => dueAtMs(plan, parcel) + maxWaitMs))
  const bytes = totalBytes(due)
  const isLast = next !== undefined && next.kind !== 'bytes'
  if (bytes >= minBytes || patienceEndsMs <= nowMs || isLast) return { bytes, untilMs: nowMs }
  return {
    bytes: 0,
    untilMs: Math.min(patienceEndsMs, next === undefined ? patienceEndsMs : dueAtMs(plan, next)),
  }
}

function totalBytes(parcels: readonly HeldItem[]): number {
  return parcels.reduce((sum, parcel) => sum + (parcel.kind === 'bytes' ? parcel.bytes.length : 0), 0)
}

/** The bytes as they arrive: with the one changed and the one doubled that the plan names, if they are among them. */
function alterBytes(plan: Plan, passedBytes: number, bytes: Buffer): Buffer {
  const changed = corrupted(bytes, plan.corrupt.at - passedBytes, plan.corrupt.xor)
  return duplicated(changed, plan.duplicateAt - passedBytes)
}

function corrupted(bytes: Buffer, index: number, xor: number): Buffer {
  const byte = bytes[index]
  if (byte === undefined) return bytes
  const copy = Buffer.from(bytes)
  copy[index] = byte ^ xor
  return copy
}

function duplicated(bytes: Buffer, index: number): Buffer {
  if (bytes[index] === undefined) return bytes
  return Buffer.concat([bytes.subarray(0, index + 1), bytes.subarray(index)])
}

// One portion is what the connection carries in this time: large enough for timers, small enough to look like a stream.
const portionMs = 10
// The rounding error of sums of fractions is less than this.
const roundingError = 1e-6

/** How many bytes the bandwidth allows now; `0` with the time at which it will allow some. */
function bandwidthAllowance(
  plan: Plan,
  emptyAtMs: number,
  at: { readonly nowMs: number; readonly wanted: number },
): { readonly bytes: number; readonly untilMs: number } {
  const { bytesPerSecond, burstBytes } = plan
  if (bytesPerSecond === Number.POSITIVE_INFINITY) return { bytes: at.wanted, untilMs: at.nowMs }
  const perMs = bytesPerSecond / 1000
  const tokens = Math.min(burstBytes, (at.nowMs - emptyAtMs) * perMs) + roundingError
  const helping = Math.min(at.wanted, burstBytes, Math.max(1, Math.floor(perMs * portionMs)))
  return tokens < helping
    ? { bytes: 0, untilMs: emptyAtMs + helping / perMs }
    : { bytes: Math.min(at.wanted, Math.floor(tokens)), untilMs: at.nowMs }
}

/** When the bucket is empty once `bytes` have been taken: a bucket that was full for long holds one burst, not more. */
function bucketEmptyAtMs(
  plan: Plan,
  emptyAtMs: number,
  at: { readonly nowMs: number; readonly bytes: number },
): number {
  if (plan.bytesPerSecond === Number.POSITIVE_INFINITY) return emptyAtMs
  const perMs = plan.bytesPerSecond / 1000
  return Math.max(emptyAtMs, at.nowMs - plan.burstBytes / perMs) + at.bytes / perMs
}
