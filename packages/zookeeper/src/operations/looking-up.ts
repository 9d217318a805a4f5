import { fullJitter } from '@ha/core'
import { linkedController } from '@ha/core/driver'
import { isLasting } from '../lasting.ts'
import { retold, type ZookeeperError } from '../zookeeper-error.ts'
import type { Asked, Asking } from './asking.ts'
import type { Remaining } from './call-options.ts'

type Waiting = Pick<Asking, 'clock' | 'random' | 'closed'>

const pace = fullJitter({ baseMs: 50, maxMs: 1_000 })

/**
 * Finds out what became of a write without an answer: asks again, for a look is harmless, until there is an answer.
 * Rejects after a lasting error, or when no time is left, with the error of the write: that stays unknown, and both
 * reasons are kept.
 */
export async function lookUp<T>(
  waiting: Waiting,
  remaining: Remaining,
  error: ZookeeperError,
  look: () => Promise<T>,
): Promise<T> {
  try {
    for (let round = 0; ; round++) {
      try {
        return await look()
      } catch (thrown) {
        if (remaining.over || isLasting(thrown)) throw thrown
      }
      await pause(waiting, remaining, round)
    }
  } catch (cause) {
    throw retold(error, { cause: new AggregateError([error, cause], 'it could not be looked up') })
  }
}

/** Waits before something is asked once more, at most as long as there is time. Rejects when nobody waits for it any more. */
async function pause({ clock, random, closed }: Waiting, { call }: Remaining, round: number): Promise<void> {
  const either = linkedController(call.signal, closed)
  try {
    await clock.sleep(Math.min(pace(round, random), call.timeoutMs), either.signal)
  } finally {
    either.unlink()
  }
}

/**
 * Waits before a write that was looked up, and not found, is tried again: who is asked at the speed of the wire does not
 * get well. Throws `timed-out` when there is no time left, as it was not done.
 */
export async function beforeAgain(
  waiting: Waiting,
  remaining: Remaining,
  round: number,
  { name, path }: Pick<Asked, 'name' | 'path'>,
): Promise<void> {
  // What nobody waits for any more says so itself when it is tried.
  await pause(waiting, remaining, round).catch(() => undefined)
  remaining.check(`${name} ${path}`, path)
}
