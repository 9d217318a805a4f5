import { fullJitter } from '@ha/core'
import type { Ground } from '../ground.ts'
import { isLasting } from '../lasting.ts'
import type { CallOptions } from '../operations/operations.ts'

/**
 * Asks until there is an answer, a lasting error, or the signal: for reads that are part of a longer wait, whose one
 * deadline the signal is.
 */
export async function persist<T>(
  ground: Ground,
  signal: AbortSignal,
  ask: (options: CallOptions) => Promise<T>,
): Promise<T> {
  for (let round = 0; ; round++) {
    try {
      return await ask({ signal, timeoutMs: untilSignalMs })
    } catch (thrown) {
      if (signal.aborted || isLasting(thrown)) throw thrown
    }
    await ground.clock.sleep(pace(round, ground.random), signal)
  }
}

/** The deadline of a call that its signal ends: the longest timer that Node knows, a little under 25 days. */
export const untilSignalMs = 2_147_483_647

const pace = fullJitter({ baseMs: 50, maxMs: 2_000 })
