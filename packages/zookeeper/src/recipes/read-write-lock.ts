import type { ClientContext } from '../context.ts'
import { resolveTimeout } from '../operations/call-options.ts'
import { checkPath } from '../operations/paths.ts'
import { type Lock, type LockOptions, QueueLock } from './lock.ts'
import { exclusive, shared } from './lock-order.ts'

/**
 * A lock with many readers or one writer. It is fair: a reader behind a waiting writer waits for that writer, so that
 * readers cannot starve writers. It is not reentrant: a reader that acquires the write lock waits for itself.
 */
export interface RwLock {
  /** The parent of the nodes of the holders and of the waiting clients. */
  readonly path: string
  /** Held by any number of readers at a time. */
  readonly read: Lock
  /** Held by one writer at a time. */
  readonly write: Lock
}

/** The read lock and the write lock of one queue. */
export function rwLock(context: ClientContext, path: string, options: LockOptions = {}): RwLock {
  checkPath(path, 'rwLock')
  const timeoutMs = resolveTimeout('rwLock', options, context.operationTimeoutMs)
  const queue = { folder: path, data: '' }
  const read = { ...queue, kind: 'read', order: shared, what: `the read lock ${path}` }
  const write = { ...queue, kind: 'write', order: exclusive, what: `the write lock ${path}` }
  return {
    path,
    read: new QueueLock(context, read, timeoutMs),
    write: new QueueLock(context, write, timeoutMs),
  }
}
