import { linkedController, withDeadline } from '@ha/core/driver'
import { fromCore } from './from-core.ts'
import { gaveUp, type Waited } from './gave-up.ts'
import type { Ground } from './ground.ts'
import type { Call } from './operations/call-options.ts'

export interface Limits extends Waited {
  readonly call: Call
  /** Makes the reason that the wait ends with when its time is up. */
  readonly expired: () => Error
}

/**
 * Waits within the limits of a call, and no longer than the client lives. What comes too late goes to `onLate`. Every
 * rejection is a `ZookeeperError`.
 */
export async function within<T>(
  ground: Pick<Ground, 'clock' | 'signal'>,
  limits: Limits,
  work: (signal: AbortSignal) => Promise<T>,
  onLate?: (value: T) => void,
): Promise<T> {
  const { call, expired, path } = limits
  const either = linkedController(call.signal, ground.signal)
  const { signal } = either
  try {
    return await withDeadline(ground.clock, { timeoutMs: call.timeoutMs, signal, expired }, work, onLate)
  } catch (thrown) {
    throw signal.aborted ? gaveUp(ground, limits, signal.reason) : fromCore(thrown, path)
  } finally {
    either.unlink()
  }
}
