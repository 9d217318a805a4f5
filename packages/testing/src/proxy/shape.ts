import type { CutHow } from './fault.ts'
import { gather } from './gather.ts'
import { mangle } from './mangle.ts'
import { allowance, emptyAfter } from './meter.ts'
import type { Moment, Progress } from './moment.ts'
import { dueAtMs, firstBytes } from './parcel.ts'
import type { Begins } from './plan.ts'

/** What to do now in one direction. */
export type Step = Pass | Discard | Finish | CutNow | Wait

/** Write `bytes`, which stand for the first `taken` held ones. */
interface Pass {
  readonly kind: 'pass'
  readonly taken: number
  readonly bytes: Buffer
  /** Nothing else is written, and no RST sent, before the receiver could read these. */
  readonly alone: boolean
  readonly progress: Progress
}

/** Drop all held bytes. */
interface Discard {
  readonly kind: 'discard'
}

/** Tell the receiver how the sender ended. */
interface Finish {
  readonly kind: 'finish'
  readonly how: 'end' | 'reset'
}

interface CutNow {
  readonly kind: 'cut'
  readonly how: CutHow
}

/** Nothing, until then or until there is news. */
interface Wait {
  readonly kind: 'wait'
  readonly untilMs: number
}

const never = Number.POSITIVE_INFINITY
// As much as one read brings: a longer write would only move what is held from our queue to the socket's.
const longestWriteBytes = 65_536

/** What happens next in one direction. Every fault is interpreted here, and nowhere else. */
export function nextStep(moment: Moment): Step {
  const { plan } = moment
  if (cutBegun(moment)) return { kind: 'cut', how: plan.cut.how }
  const step = begun(plan.blackhole, moment) ? inBlackhole(moment) : forOldest(moment)
  return step.kind === 'wait' ? wait(Math.min(step.untilMs, nextOnsetMs(moment))) : step
}

/** Whether to go on reading from the sender. */
export function readsOn(moment: Moment, isFull: boolean): boolean {
  const { blackhole } = moment.plan
  return begun(blackhole, moment) ? blackhole.how === 'discard' : moment.hasRoom && !isFull
}

function begun(what: Begins<string>, { progress, nowMs }: Moment): boolean {
  return progress.passedBytes >= what.afterBytes || nowMs >= progress.sinceMs + what.afterMs
}

// A cut behind a byte waits until the receiver took that byte; a cut by time waits for nobody.
function cutBegun(moment: Moment): boolean {
  const { plan, hasRoom } = moment
  return begun(hasRoom ? plan.cut : { ...plan.cut, afterBytes: never }, moment)
}

function nextOnsetMs({ plan, progress, nowMs }: Moment): number {
  const onsets = [plan.cut, plan.blackhole].map(({ afterMs }) => progress.sinceMs + afterMs)
  return Math.min(...onsets.filter((onsetMs) => onsetMs > nowMs))
}

// The sender's end stays behind: no FIN comes out of a blackhole either.
function inBlackhole({ plan, held }: Moment): Step {
  const swallows = plan.blackhole.how === 'discard' && held.some(({ kind }) => kind === 'bytes')
  return swallows ? { kind: 'discard' } : wait(never)
}

function forOldest(moment: Moment): Step {
  const [oldest] = moment.held
  if (oldest === undefined || !moment.hasRoom) return wait(never)
  const dueMs = dueAtMs(moment.plan, oldest)
  if (dueMs > moment.nowMs) return wait(dueMs)
  return oldest.kind === 'bytes' ? forBytes(moment) : { kind: 'finish', how: oldest.kind }
}

function forBytes(moment: Moment): Step {
  const { plan, progress, nowMs } = moment
  const gathered = gather(moment)
  if (gathered.bytes === 0) return wait(gathered.untilMs)
  if (progress.nextSliceAtMs > nowMs) return wait(progress.nextSliceAtMs)
  const wanted = Math.min(gathered.bytes, sliceBytes(moment), bytesUntilOnset(moment), longestWriteOf(moment))
  const allowed = allowance(plan, progress.emptyAtMs, { nowMs, wanted })
  if (allowed.bytes === 0) return wait(allowed.untilMs)
  return pass(moment, { taken: allowed.bytes, gatheredBytes: gathered.bytes })
}

function sliceBytes({ plan, luck }: Moment): number {
  if (plan.slice === undefined) return never
  const { minBytes, maxBytes } = plan.slice
  return minBytes + Math.floor(luck * (maxBytes - minBytes + 1))
}

// A fault that begins behind a byte lets exactly the bytes before it pass.
function bytesUntilOnset({ plan, progress }: Moment): number {
  return Math.min(plan.cut.afterBytes, plan.blackhole.afterBytes) - progress.passedBytes
}

function longestWriteOf({ plan }: Moment): number {
  return Math.max(longestWriteBytes, plan.coalesce.minBytes)
}

function pass(
  { plan, progress, held, nowMs }: Moment,
  choice: { readonly taken: number; readonly gatheredBytes: number },
): Pass {
  const { taken, gatheredBytes } = choice
  const passedBytes = progress.passedBytes + taken
  return {
    kind: 'pass',
    taken,
    bytes: mangle(plan, progress.passedBytes, firstBytes(held, taken)),
    alone: plan.slice !== undefined || passedBytes === plan.cut.afterBytes || held.at(-1)?.kind === 'reset',
    progress: {
      sinceMs: progress.sinceMs,
      passedBytes,
      emptyAtMs: emptyAfter(plan, progress.emptyAtMs, { nowMs, bytes: taken }),
      nextSliceAtMs: nowMs + (plan.slice?.gapMs ?? 0),
      gatheredBytes: gatheredBytes - taken,
    },
  }
}

function wait(untilMs: number): Wait {
  return { kind: 'wait', untilMs }
}
