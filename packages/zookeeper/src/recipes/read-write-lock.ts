import type { ClientContext } from '../context.ts'
import { resolveTimeout } from '../operations/call-options.ts'
import { checkPath } from '../operations/paths.ts'
import { type Lock, type LockOptions, QueueLock } from './lock.ts'
import { exclusive, shared } from './lock-order.ts'

/**
 * A lock that many hold for reading, or one for writing. Fair: who comes behind a writer waits for it, so that readers
 * cannot keep a writer out for ever. Not reentrant: a reader that asks for writing waits for itself.
 */
export interface RwLock {
  readonly path: string
  readonly read: Lock
  readonly write: Lock
}

/** The two locks of one line. */
export function rwLock(ground: ClientContext, path: string, options: LockOptions = {}): RwLock {
  checkPath(path, 'rwLock')
  const timeoutMs = resolveTimeout('rwLock', options, ground.operationTimeoutMs)
  const line = { folder: path, data: '' }
  const read = { ...line, kind: 'read', order: shared, what: `the read lock ${path}` }
  const write = { ...line, kind: 'write', order: exclusive, what: `the write lock ${path}` }
  return {
    path,
    read: new QueueLock(ground, read, timeoutMs),
    write: new QueueLock(ground, write, timeoutMs),
  }
}
