import { fullJitter } from '@ha/core'
import { linkedController, retry } from '@ha/core/driver'
import { isPermanent } from '../context.ts'
import { withDetails, ZookeeperError } from '../errors.ts'
import type { CallDeadline } from './call-options.ts'
import type { Reads } from './reads.ts'
import type { RequestDetails, RequestExecutor } from './request-executor.ts'

type PauseDeps = Pick<RequestExecutor, 'clock' | 'random' | 'closed'>

const lookUpBackoff = fullJitter({ baseMs: 50, maxMs: 1_000 })

/**
 * Finds out what became of a write without an answer: repeats `look`, which has no effect, until it succeeds. After a
 * permanent error, or when no time is left, the outcome stays unknown: rejects with the error of the write, whose
 * cause holds both errors.
 */
export async function resolveOutcome<T>(
  { clock, random, closed }: PauseDeps,
  deadline: CallDeadline,
  error: ZookeeperError,
  look: () => Promise<T>,
): Promise<T> {
  const scope = linkedController(deadline.remaining.signal, closed)
  const options = {
    clock,
    random,
    backoff: (round: number, rnd: () => number) =>
      Math.min(lookUpBackoff(round, rnd), deadline.remaining.timeoutMs),
    isFinal: (thrown: unknown) => deadline.isOver || isPermanent(thrown),
    signal: scope.signal,
  }
  try {
    return await retry(options, look)
  } catch (cause) {
    throw withDetails(error, { cause: new AggregateError([error, cause], 'it could not be looked up') })
  } finally {
    scope.unlink()
  }
}

/**
 * Waits before a write that was looked up and not found is sent again, so that a server in trouble is not asked at the
 * speed of the network. Throws `timed-out` when no time is left: the write was not done.
 */
export async function pauseBeforeRetry(
  { clock, random, closed }: PauseDeps,
  deadline: CallDeadline,
  round: number,
  { name, path }: Pick<RequestDetails, 'name' | 'path'>,
): Promise<void> {
  const { timeoutMs, signal } = deadline.remaining
  const scope = linkedController(signal, closed)
  // A call that was aborted in the pause rejects when it sends the write again.
  await clock
    .sleep(Math.min(lookUpBackoff(round, random), timeoutMs), scope.signal)
    .catch(() => undefined)
    .finally(scope.unlink)
  deadline.check(`${name} ${path}`, path)
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
