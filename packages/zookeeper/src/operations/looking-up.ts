import { fullJitter, scopeBelow } from '@ha/core'
import { isLasting } from '../lasting.ts'
import type { Asking } from './asking.ts'
import type { Remaining } from './call-options.ts'

const pace = fullJitter({ baseMs: 50, maxMs: 1_000 })

/**
 * Finds out what became of a write without an answer: asks again, for a look is harmless, until there is an answer, a
 * lasting error, or no time left.
 */
export async function lookUp<T>(
  { clock, random, closed }: Pick<Asking, 'clock' | 'random' | 'closed'>,
  remaining: Remaining,
  look: () => Promise<T>,
): Promise<T> {
  const either = scopeBelow(remaining.call.signal, closed)
  try {
    for (let round = 0; ; round++) {
      try {
        return await look()
      } catch (thrown) {
        if (remaining.over || isLasting(thrown)) throw thrown
      }
      await clock.sleep(Math.min(pace(round, random), remaining.call.timeoutMs), either.signal)
    }
  } finally {
    either.end()
  }
}
