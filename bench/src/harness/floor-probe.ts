import { setTimeout as sleep } from 'node:timers/promises'
import { wallMs } from './wall-clock.ts'

/** How a floor is probed. */
export interface FloorPace {
  /** How long after one attempt the next one begins beside it. */
  readonly everyMs: number
  /** How many attempts are under way at the most. */
  readonly mostUnderway: number
}

/** Makes one attempt beside the other until the signal fires; resolves with the instants of those that succeeded. */
export async function successesOf(
  attempt: (number: number) => Promise<unknown>,
  { everyMs, mostUnderway }: FloorPace,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const successes: number[] = []
  const underway = new Set<Promise<void>>()
  for (let number = 0; !signal.aborted; number++) {
    if (underway.size < mostUnderway) {
      const attempted = attempt(number).then(
        () => void successes.push(wallMs()),
        () => undefined,
      )
      underway.add(attempted)
      void attempted.finally(() => underway.delete(attempted))
    }
    await sleep(everyMs)
  }
  await Promise.all(underway)
  return successes
}
