import { isHaError } from '@ha/core'
import type { ClientContext } from '../context.ts'
import { retryUntilAborted } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import { resolveTimeout } from '../operations/call-options.ts'
import { checkPath } from '../operations/paths.ts'
import { type Lock, type LockOptions, QueueLock } from './lock.ts'
import { upToPermits } from './lock-order.ts'

/** A lock that as many hold as it has seats. */
export type Semaphore = Lock

/** A semaphore with so many seats. Everybody has to name the same number: the first writes it into the node. */
export function semaphore(
  ground: ClientContext,
  path: string,
  seats: number,
  options: LockOptions = {},
): Semaphore {
  checkPath(path, 'semaphore')
  checkPermits(path, seats)
  const verify = (signal: AbortSignal): Promise<void> => agreeOnPermits(ground, path, seats, signal)
  const what = `a seat of the semaphore ${path}`
  const line = { folder: path, kind: 'seat', data: '', order: upToPermits(seats), what, verify }
  return new QueueLock(ground, line, resolveTimeout('semaphore', options, ground.operationTimeoutMs))
}

function checkPermits(path: string, seats: unknown): void {
  if (Number.isSafeInteger(seats) && Number(seats) >= 1) return
  throw new ZookeeperError(
    'config-invalid',
    `semaphore ${path}: expected a whole number of seats, at least 1`,
    { path },
  )
}

/** What is written in the node of a semaphore, to one who counts on so many seats. */
type PermitAgreement = 'agreed' | 'unwritten' | 'disagreed'

/** Reads what is written there; a node that was only made as a parent holds nothing. */
export function permitAgreement(seats: number, written: string): PermitAgreement {
  if (written === '') return 'unwritten'
  return written === String(seats) ? 'agreed' : 'disagreed'
}

/**
 * Makes sure that everybody counts on the same number of seats. Asked by somebody who stands in line: for as long as
 * that is so the servers keep the node, and what is written in it stays.
 */
async function agreeOnPermits(
  ground: ClientContext,
  path: string,
  seats: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const node = await retryUntilAborted(ground, signal, (options) => ground.operations.get(path, options))
    // Without the node there is no line either, and that is for the line to say.
    if (node === undefined) return
    const written = node.data.toString()
    const agreement = permitAgreement(seats, written)
    if (agreement === 'agreed') return
    if (agreement === 'disagreed') throw permitMismatch(path, seats, written)
    await writePermits(ground, path, seats, node.stat.version, signal)
  }
}

// Whether it was we who wrote it does not matter.
async function writePermits(
  ground: ClientContext,
  path: string,
  seats: number,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  try {
    await retryUntilAborted(ground, signal, (options) =>
      ground.operations.set(path, String(seats), { ...options, version, repeatable: true }),
    )
  } catch (thrown) {
    if (!isHaError(thrown) || thrown.code !== 'bad-version') throw thrown
  }
}

function permitMismatch(path: string, seats: number, written: string): ZookeeperError {
  const said = /^\d{1,16}$/.test(written) ? `${written} seats` : 'something that is no number'
  const message = `semaphore ${path}: this client counts on ${seats} seats, the node says ${said}; all have to name the same number`
  return new ZookeeperError('config-invalid', message, { path })
}
