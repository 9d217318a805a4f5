import { fullJitter } from '@ha/core'
import { linkedController } from '@ha/core/driver'
import { isPermanent } from '../context.ts'
import { withDetails, ZookeeperError } from '../errors.ts'
import type { CallDeadline } from './call-options.ts'
import type { Reads } from './reads.ts'
import type { RequestDetails, RequestExecutor } from './request-executor.ts'

type PauseDeps = Pick<RequestExecutor, 'clock' | 'random' | 'closed'>

const lookUpBackoff = fullJitter({ baseMs: 50, maxMs: 1_000 })

/**
 * Finds out what became of a write without an answer: asks again, for a look is harmless, until there is an answer.
 * Rejects after a lasting error, or when no time is left, with the error of the write: that stays unknown, and both
 * reasons are kept.
 */
export async function resolveOutcome<T>(
  waiting: PauseDeps,
  remaining: CallDeadline,
  error: ZookeeperError,
  look: () => Promise<T>,
): Promise<T> {
  try {
    for (let round = 0; ; round++) {
      try {
        return await look()
      } catch (thrown) {
        if (remaining.isOver || isPermanent(thrown)) throw thrown
      }
      await pause(waiting, remaining, round)
    }
  } catch (cause) {
    throw withDetails(error, { cause: new AggregateError([error, cause], 'it could not be looked up') })
  }
}

/** Waits before something is asked once more, at most as long as there is time. Rejects when nobody waits for it any more. */
async function pause(
  { clock, random, closed }: PauseDeps,
  { remaining: call }: CallDeadline,
  round: number,
): Promise<void> {
  const either = linkedController(call.signal, closed)
  try {
    await clock.sleep(Math.min(lookUpBackoff(round, random), call.timeoutMs), either.signal)
  } finally {
    either.unlink()
  }
}

/**
 * Waits before a write that was looked up, and not found, is tried again: who is asked at the speed of the wire does not
 * get well. Throws `timed-out` when there is no time left, as it was not done.
 */
export async function pauseBeforeRetry(
  waiting: PauseDeps,
  remaining: CallDeadline,
  round: number,
  { name, path }: Pick<RequestDetails, 'name' | 'path'>,
): Promise<void> {
  // What nobody waits for any more says so itself when it is tried.
  await pause(waiting, remaining, round).catch(() => undefined)
  remaining.check(`${name} ${path}`, path)
}

/** A write with a version whose answer was lost. */
interface LostWrite {
  readonly path: string
  readonly version: number
  /** The latest transaction that was known when it was sent: a node that is younger is another one. */
  readonly knownZxid: bigint
  /** Whether the session that it was sent in still lives. */
  readonly isSameSession: () => boolean
  readonly error: ZookeeperError
  readonly remaining: CallDeadline
}

/** True of an error after which nobody knows whether it was done. */
export function isOutcomeUnknown(error: unknown): error is ZookeeperError {
  return error instanceof ZookeeperError && error.outcome === 'unknown'
}

/**
 * Returns when the write was certainly not done, so that it can be tried again: the same node still has the version that it
 * asked for, on a server that has caught up, and the request cannot come late, because the session has moved to another
 * connection. One of a session that was given up still can. Else rejects with the error that there was.
 */
export async function confirmNotDone(
  { executor, reads }: { readonly executor: RequestExecutor; readonly reads: Reads },
  { path, version, knownZxid, isSameSession, error, remaining }: LostWrite,
): Promise<void> {
  if (remaining.isOver) throw error
  const stat = await resolveOutcome(executor, remaining, error, async () => {
    await reads.sync(path, remaining.remaining)
    return reads.plain.exists(path, remaining.remaining)
  })
  const isNotDone = stat?.version === version && stat.czxid <= knownZxid && isSameSession()
  if (!isNotDone) throw error
}
