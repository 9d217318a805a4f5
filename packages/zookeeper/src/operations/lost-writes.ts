import { ZookeeperError } from '../zookeeper-error.ts'
import type { Asking } from './asking.ts'
import type { Remaining } from './call-options.ts'
import { lookUp } from './looking-up.ts'
import type { Reads } from './reads.ts'

/** A write with a version whose answer was lost. */
export interface Look {
  readonly path: string
  readonly version: number
  /** The latest transaction that was known when it was sent: a node that is younger is another one. */
  readonly knownZxid: bigint
  /** Whether the session that it was sent in still lives. */
  readonly isSameSession: () => boolean
  readonly error: ZookeeperError
  readonly remaining: Remaining
}

/** True of an error after which nobody knows whether it was done. */
export function isUnknown(error: unknown): error is ZookeeperError {
  return error instanceof ZookeeperError && error.outcome === 'unknown'
}

/**
 * Returns when the write was certainly not done, so that it can be tried again: the same node still has the version that it
 * asked for, on a server that has caught up, and the request cannot come late, because the session has moved to another
 * connection. One of a session that was given up still can. Else rejects with the error that there was.
 */
export async function lookAfter(
  { asking, reads }: { readonly asking: Asking; readonly reads: Reads },
  { path, version, knownZxid, isSameSession, error, remaining }: Look,
): Promise<void> {
  if (remaining.over) throw error
  const stat = await lookUp(asking, remaining, error, async () => {
    await reads.sync(path, remaining.call)
    return reads.plain.exists(path, remaining.call)
  })
  const isNotDone = stat?.version === version && stat.czxid <= knownZxid && isSameSession()
  if (!isNotDone) throw error
}
