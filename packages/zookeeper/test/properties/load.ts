import { isHaError } from '@ha/core'
import type { FakeClock } from '@ha/core/testing'

/** The deadline of each call under load, in milliseconds. */
export const deadlineMs = 1_500

/** What one call under load came to. */
export interface Settled {
  readonly n: number
  /** `untyped`: it was rejected with something that is no error of ours. */
  readonly outcome: 'done' | 'not-done' | 'unknown' | 'untyped'
  readonly tookMs: number
  readonly atMs: number
  readonly error: unknown
}

/** Calls that go on at a steady pace until they are ended. */
export interface Load {
  /** How many were begun and have not settled. */
  readonly open: number
  readonly settled: readonly Settled[]
  /** Begins no more, waits until all have settled, and gives what each came to. */
  end(): Promise<readonly Settled[]>
}

/** Calls `call` every so many milliseconds, whether or not the ones before have settled; 0 for never. */
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
