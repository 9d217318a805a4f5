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
    throw withDetails(error, {
      cause: new AggregateError([error, cause], 'the outcome could not be determined'),
    })
  } finally {
    scope.unlink()
  }
}

/** A write that was not done, and the error of its last attempt; `round` counts the attempts from 0. */
interface RepeatedWrite extends Pick<RequestDetails, 'name' | 'path'> {
  readonly round: number
  /** How often it is repeated: a write that ends each connection it is sent on does not get more of them. */
  readonly most: number
  readonly error: ZookeeperError
}

/**
 * Waits before a write that was looked up and not found is sent again, so that a server in trouble is not asked at the
 * speed of the network. Throws the error of the write, as not done, after a few attempts, and `timed-out` when no time is
 * left.
 */
export async function pauseBeforeRetry(
  { clock, random, closed }: PauseDeps,
  deadline: CallDeadline,
  { round, most, name, path, error }: RepeatedWrite,
): Promise<void> {
  if (round >= most) {
    const message = `${name} ${path}: the connection ended at each of ${round + 1} attempts, and it was not done`
    throw withDetails(error, { message, outcome: 'not-done', cause: error })
  }
  const { timeoutMs, signal } = deadline.remaining
  const scope = linkedController(signal, closed)
  // A call that was aborted in the pause rejects when it sends the write again.
  await clock
    .sleep(Math.min(lookUpBackoff(round, random), timeoutMs), scope.signal)
    .catch(() => undefined)
    .finally(scope.unlink)
  deadline.check(`${name} ${path}`, path)
}

/** A write with a version whose reply was lost. */
interface UnansweredWrite {
  readonly path: string
  readonly version: number
  /** The highest zxid when the write was sent: a node with a later czxid is another node. */
  readonly knownZxid: bigint
  /** Whether the session of the write is still the current one. */
  readonly isSameSession: () => boolean
  readonly error: ZookeeperError
  readonly deadline: CallDeadline
}

/** Whether it is not known that the operation happened or did not. */
export function isOutcomeUnknown(error: unknown): error is ZookeeperError {
  return error instanceof ZookeeperError && error.outcome === 'unknown'
}

/**
 * Resolves when the write certainly did not happen and may be repeated: the same node still has the required version,
 * on a server that has caught up, and the request cannot arrive late, because its session has moved to another
 * connection. A request of a former session can. Else rejects with the error of the write.
 */
export async function confirmNotDone(
  { executor, reads }: { readonly executor: RequestExecutor; readonly reads: Reads },
  { path, version, knownZxid, isSameSession, error, deadline }: UnansweredWrite,
): Promise<void> {
  if (deadline.isOver) throw error
  const stat = await resolveOutcome(executor, deadline, error, async () => {
    await reads.sync(path, deadline.remaining)
    return reads.plain.exists(path, deadline.remaining)
  })
  const isNotDone = stat?.version === version && stat.czxid <= knownZxid && isSameSession()
  if (!isNotDone) throw error
}
