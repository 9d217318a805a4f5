import { systemClock } from '../runtime/clock.ts'

// How often it is looked: seldom enough to leave the processor to what the test waits for.
const lookEveryMs = 5

/**
 * Waits in real time until something is so; rejects with what was waited for when it is not so after `timeoutMs`,
 * default 15 000.
 */
export async function until(what: string, isSo: () => boolean, timeoutMs = 15_000): Promise<void> {
  const deadline = systemClock.now() + timeoutMs
  while (!isSo()) {
    if (systemClock.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await pause(lookEveryMs)
  }
}

/** Lets so much real time pass. */
export function pause(ms: number): Promise<void> {
  return systemClock.sleep(ms)
}
