import { setTimeout as sleep } from 'node:timers/promises'
import { wallMs } from './timing.ts'

/** How a floor is probed. */
export interface ProbePace {
  /** How long after one attempt the next one begins beside it. */
  readonly everyMs: number
  /** How many attempts are under way at the most. */
  readonly maxConcurrent: number
}

/** Makes one attempt beside the other until the signal fires; resolves with the instants of those that succeeded. */
export async function probeSuccesses(
  attempt: (number: number) => Promise<unknown>,
  { everyMs, maxConcurrent }: ProbePace,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const successes: number[] = []
  const running = new Set<Promise<void>>()
  for (let number = 0; !signal.aborted; number++) {
    if (running.size < maxConcurrent) {
      const attempted = attempt(number).then(
        () => void successes.push(wallMs()),
        () => undefined,
      )
      running.add(attempted)
      void attempted.finally(() => running.delete(attempted))
    }
    await sleep(everyMs)
  }
  await Promise.all(running)
  return successes
}
