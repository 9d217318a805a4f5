import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds since 1970 with the fineness of a monotonic clock: comparable between processes of one machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}

/** Calls something at a steady rate; what a busy loop delayed is made up for at once. */
export class Pace {
  readonly #next: () => void
  readonly #perSecond: number
  #timer: NodeJS.Timeout | undefined

  constructor(perSecond: number, next: () => void) {
    this.#perSecond = perSecond
    this.#next = next
  }

  start(): void {
    const startedAtMs = wallMs()
    let called = 0
    this.#timer = setInterval(() => {
      const due = Math.floor(((wallMs() - startedAtMs) * this.#perSecond) / 1_000)
      for (; called < due; called += 1) this.#next()
    }, 5)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

// What was on its way at the moment of the fault is no recovery.
const echoMs = 700
const enough = 20

/** Waits until every counter has moved on after a fault, or had `timeoutMs` for it. */
export async function waitForRecovery(counters: readonly (() => number)[], timeoutMs: number): Promise<void> {
  const untilMs = wallMs() + timeoutMs
  const atFault = counters.map((count) => count())
  await sleep(echoMs)
  const before = counters.map((count, i) => Math.max(count(), atFault[i] ?? 0))
  const isBack = (): boolean => counters.every((count, i) => count() > (before[i] ?? 0) + enough)
  while (wallMs() < untilMs && !isBack()) await sleep(100)
}
