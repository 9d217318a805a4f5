import { isHaError } from '@ha/core'
import { type ClientContext, retryUntilAborted } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import { resolveTimeout } from '../operations/call-options.ts'
import { checkPath } from '../operations/paths.ts'
import { type Lock, type LockOptions, QueueLock } from './lock.ts'
import { upToPermits } from './lock-order.ts'

/** A lock with as many holders as it has permits. */
export type Semaphore = Lock

/** A semaphore. All clients must give the same number of permits: the first one writes it into the node. */
export function semaphore(
  context: ClientContext,
  path: string,
  permits: number,
  options: LockOptions = {},
): Semaphore {
  checkPath(path, 'semaphore')
  checkPermits(path, permits)
  const verify = (signal: AbortSignal): Promise<void> => agreeOnPermits(context, path, permits, signal)
  const what = `a permit of the semaphore ${path}`
  const queue = { folder: path, kind: 'seat', data: '', order: upToPermits(permits), permits, what, verify }
  return new QueueLock(context, queue, resolveTimeout('semaphore', options, context.operationTimeoutMs))
}

function checkPermits(path: string, permits: unknown): void {
  if (Number.isSafeInteger(permits) && Number(permits) >= 1) return
  throw new ZookeeperError(
    'config-invalid',
    `semaphore ${path}: expected a whole number of permits, at least 1`,
    { path },
  )
}

/** How the number in the node compares with that of this client. */
export type PermitAgreement = 'agreed' | 'unwritten' | 'disagreed'

/** Compares the number of permits with the content of the node, which is empty when the node was created as a parent. */
export function permitAgreement(permits: number, written: string): PermitAgreement {
  if (written === '') return 'unwritten'
  return written === String(permits) ? 'agreed' : 'disagreed'
}

/**
 * Makes sure that all clients use the same number of permits. It is called while this client has a node in the queue:
 * the servers keep the parent for that time, and its content does not change.
 */
async function agreeOnPermits(
  context: ClientContext,
  path: string,
  permits: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const node = await retryUntilAborted(context, signal, (options) => context.operations.get(path, options))
    // Without the parent, the queue is empty as well, and the position of the node reports that.
    if (node === undefined) return
    const written = node.data.toString()
    const agreement = permitAgreement(permits, written)
    if (agreement === 'agreed') return
    if (agreement === 'disagreed') throw permitMismatch(path, permits, written)
    await writePermits(context, path, permits, node.stat.version, signal)
  }
}

// How long the content of a folder that only another client may write to is waited for, before it is read again.
const unwrittenMs = 100

// When another client was faster, its number is read next.
async function writePermits(
  context: ClientContext,
  path: string,
  permits: number,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await retryUntilAborted(context, signal, (options) =>
      context.operations.set(path, String(permits), { ...options, version, repeatable: true }),
    )
  } catch (thrown) {
    if (!isHaError(thrown)) throw thrown
    // The folder belongs to a client with other credentials, which is about to write into it.
    if (thrown.code === 'no-auth') await context.clock.sleep(unwrittenMs, signal)
    else if (thrown.code !== 'bad-version') throw thrown
  }
}

function permitMismatch(path: string, permits: number, written: string): ZookeeperError {
  const content = /^\d{1,16}$/.test(written) ? `${written} permits` : 'something that is not a number'
  const message = `semaphore ${path}: this client expects ${permits} permits, the node contains ${content}; all clients must use the same number`
  return new ZookeeperError('config-invalid', message, { path })
}
