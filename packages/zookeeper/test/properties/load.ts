import { isHaError } from '@ha/core'
import type { FakeClock } from '@ha/core/testing'

/** The deadline of each call under load, in milliseconds. */
export const deadlineMs = 1_500

/** The result of one call under load. */
export interface Settled {
  readonly n: number
  /** `untyped`: rejected with another error than `HaError`. */
  readonly outcome: 'done' | 'not-done' | 'unknown' | 'untyped'
  readonly tookMs: number
  readonly atMs: number
  readonly error: unknown
}

/** Calls at a steady rate. */
export interface Load {
  /** The number of calls that have not settled. */
  readonly open: number
  readonly settled: readonly Settled[]
  /** Starts no more calls, waits until all have settled, and returns their results. */
  end(): Promise<readonly Settled[]>
}

/** Runs `call` every `everyMs` milliseconds, whether or not earlier calls have settled; 0 for never. */
export function repeatedly(clock: FakeClock, everyMs: number, call: (n: number) => Promise<unknown>): Load {
  const settled: Settled[] = []
  let begun = 0
  let isOver = false
  const one = async (n: number): Promise<void> => {
    const fromMs = clock.now()
    const [outcome, error] = await call(n).then(
      () => ['done', undefined] as const,
      (thrown: unknown) => [outcomeOf(thrown), thrown] as const,
    )
    settled.push({ n, outcome, tookMs: clock.now() - fromMs, atMs: clock.now(), error })
  }
  const next = (): void => {
    if (isOver) return
    void one(begun++)
    clock.after(everyMs, next)
  }
  if (everyMs > 0) next()
  return {
    get open() {
      return begun - settled.length
    },
    settled,
    end: async () => {
      isOver = true
      for (let step = 0; settled.length < begun && step < 2_000; step++) await clock.advance(10)
      return settled
    },
  }
}

function outcomeOf(thrown: unknown): Settled['outcome'] {
  if (!isHaError(thrown)) return 'untyped'
  return thrown.outcome ?? 'untyped'
}
