import { setTimeout as sleep } from 'node:timers/promises'
import { wallMs } from './wall-clock.ts'

// What was on its way at the moment of the fault is no recovery.
const echoMs = 700
const enough = 20

/** Waits until every counter has moved on after a fault, or had `timeoutMs` for it. */
export async function recovered(counters: readonly (() => number)[], timeoutMs: number): Promise<void> {
  const untilMs = wallMs() + timeoutMs
  const atFault = counters.map((count) => count())
  await sleep(echoMs)
  const before = counters.map((count, i) => Math.max(count(), atFault[i] ?? 0))
  const isBack = (): boolean => counters.every((count, i) => count() > (before[i] ?? 0) + enough)
  while (wallMs() < untilMs && !isBack()) await sleep(100)
}
