import type { Ground } from '../ground.ts'
import { resolveTimeout } from '../operations/call-options.ts'
import { checkPath } from '../operations/paths.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { LineLock, type Lock, type LockOptions } from './lock.ts'
import { agreeOnSeats } from './seats.ts'
import { seated } from './turn.ts'

/** A lock that as many hold as it has seats. */
export type Semaphore = Lock

/** A semaphore with so many seats. Everybody has to name the same number: the first writes it into the node. */
export function semaphore(ground: Ground, path: string, seats: number, options: LockOptions = {}): Semaphore {
  checkPath(path, 'semaphore')
  checkSeats(path, seats)
  const agree = (signal: AbortSignal): Promise<void> => agreeOnSeats(ground, path, seats, signal)
  const what = `a seat of the semaphore ${path}`
  const line = { folder: path, kind: 'seat', data: '', rule: seated(seats), what, agree }
  return new LineLock(ground, line, resolveTimeout('semaphore', options, ground.operationTimeoutMs))
}

function checkSeats(path: string, seats: unknown): void {
  if (Number.isSafeInteger(seats) && Number(seats) >= 1) return
  throw new ZookeeperError(
    'config-invalid',
    `semaphore ${path}: expected a whole number of seats, at least 1`,
    { path },
  )
}
