import type { Clock } from './clock.ts'
import { linkedController, raceAbort } from './scope.ts'

export interface DeadlineOptions {
  /** The whole time allowed, in milliseconds, whatever happens inside. */
  readonly timeoutMs: number
  /** The caller's signal, if it has one. */
  readonly signal?: AbortSignal | undefined
  /** Makes the reason that the work is ended with when the time is up. */
  readonly expired: () => Error
}

/**
 * Runs `work` under one deadline. It settles by then even when `work` ignores its signal; a value that arrives
 * later goes to `onLate`.
 */
export async function withDeadline<T>(
  clock: Clock,
  limit: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<T>,
  onLate: (value: T) => void = () => undefined,
): Promise<T> {
  const scope = linkedController(limit.signal)
  const cancel = clock.after(limit.timeoutMs, () => scope.abort(limit.expired()))
  try {
    scope.signal.throwIfAborted()
    return await raceAbort(work(scope.signal), scope.signal, onLate)
  } finally {
    cancel()
    scope.unlink()
  }
}
