import type { Clock } from '@ha/core'

/** What a rule does that lets something wait. Everything on the same connection waits behind it. */
export type WaitAct =
  /** The request is looked at, or its answer sent, so much later. */
  | { readonly do: 'delay'; readonly delayMs: number; readonly at?: 'before' | 'answer' }
  /** It waits until the test says `release(name)`. */
  | { readonly do: 'hold'; readonly until: string; readonly at?: 'before' | 'answer' }

/** What a plan waits for. */
export interface Waits {
  /** Before the server looks at the request. */
  readonly before: readonly WaitAct[]
  /** Before the answer is sent. */
  readonly late: readonly WaitAct[]
}

/** What waiting needs from a node. */
export interface WaitEnds {
  readonly clock: Clock
  /** Resolves at the next release of that name. */
  readonly released: (name: string) => Promise<void>
  /** Resolves when the process runs: at once, or when it goes on. */
  readonly awake: () => Promise<void>
}

/** The waits with one more behind the others. */
export function withWait({ before, late }: Waits, act: WaitAct): Waits {
  return act.at === 'answer' ? { before, late: [...late, act] } : { before: [...before, act], late }
}

/** What waits for these, one after the other, and for the process to run. Releases count from the call on. */
export function waitingFor(ends: WaitEnds, waits: readonly WaitAct[]): () => Promise<void> {
  const { clock, released, awake } = ends
  // Whoever has seen the request in the log may release it, even if its turn to wait comes later.
  const starts = waits.map((wait): (() => Promise<void>) => {
    if (wait.do === 'delay') return () => clock.sleep(wait.delayMs)
    const release = released(wait.until)
    return () => release
  })
  return async () => {
    for (const start of starts) await start()
    await awake()
  }
}
