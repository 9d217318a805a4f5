/** The only source of time: monotonic, in milliseconds, and replaced in tests. */
export interface Clock {
  /** Milliseconds since some fixed point; never goes back. */
  now(): number
  /** Calls `fn` once after `ms`; the returned function cancels it. */
  after(ms: number, fn: () => void): () => void
  /** Resolves after `ms`; rejects with `signal.reason` as soon as the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/**
 * A timer may fire a fraction of a millisecond early. Anything due within this counts as due: waiting for the rest would
 * be a busy loop.
 */
export const timerGrainMs = 1

/** Node.js fires a longer timer at once: 2^31 - 1 ms, a little under 25 days. */
export const maxTimerMs = 2_147_483_647

/** A {@link Clock} made of a `now` and an `after`: sleeping is the same for every clock. */
export function clockOf(now: () => number, after: (ms: number, fn: () => void) => () => void): Clock {
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const onAbort = (): void => {
        cancel()
        reject(signal?.reason)
      }
      const cancel = after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  return { now, after, sleep }
}

/** The clock of this machine. */
export const systemClock: Clock = clockOf(
  () => performance.now(),
  (ms, fn) => {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), maxTimerMs))
    return () => clearTimeout(timer)
  },
)
