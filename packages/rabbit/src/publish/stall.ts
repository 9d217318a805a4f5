import type { Clock } from '@ha/core'
import { ActiveTime } from '@ha/core/driver'

/** How long nothing was confirmed, and how long that will be borne. */
export interface Stall {
  readonly answers: number
  readonly forMs: number
  readonly patienceMs: number
}

export interface Progress {
  readonly answers: number
  readonly unconfirmed: number
  readonly attentiveMs: number
}

// A cluster in which no node can confirm is not helped by clients that run from one to the next.
const longestPatienceMs = 60_000

/** No stall yet. */
export function noStall(answers: number, patienceMs: number): Stall {
  return { answers, forMs: 0, patienceMs }
}

/** Folds a tick: any answer, or nothing to confirm, ends the stall. */
export function observeProgress(stall: Stall, progress: Progress, patienceMs: number): Stall {
  if (progress.answers !== stall.answers || progress.unconfirmed === 0)
    return noStall(progress.answers, patienceMs)
  return { ...stall, forMs: stall.forMs + progress.attentiveMs }
}

/** True when it is time to try another node. */
export function impatient(stall: Stall): boolean {
  return stall.forMs >= stall.patienceMs
}

/** After a move: the next one is borne twice as long. */
export function afterMove(stall: Stall): Stall {
  return { ...stall, forMs: 0, patienceMs: Math.min(stall.patienceMs * 2, longestPatienceMs) }
}

export interface StallWatch {
  readonly clock: Clock
  readonly confirmStallMs: number
  /** The progress of all publishers together; undefined while there is no connection that could make any. */
  readonly progress: () => Omit<Progress, 'attentiveMs'> | undefined
  readonly onStall: (unconfirmed: number, forMs: number) => void
}

/** Watches for a node that answers pings and confirms nothing, until the signal fires. */
export async function watchStall(watch: StallWatch, signal: AbortSignal): Promise<void> {
  const { clock, confirmStallMs, progress, onStall } = watch
  if (confirmStallMs === Number.POSITIVE_INFINITY) return
  const tickMs = confirmStallMs / 16
  const attention = new ActiveTime(clock, tickMs)
  let stall = noStall(0, confirmStallMs)
  for (;;) {
    await clock.sleep(tickMs, signal)
    const attentiveMs = attention.tick()
    const now = progress()
    if (now === undefined) continue
    stall = observeProgress(stall, { ...now, attentiveMs }, confirmStallMs)
    if (!impatient(stall)) continue
    onStall(now.unconfirmed, Math.round(stall.forMs))
    stall = afterMove(stall)
  }
}
