import { setTimeout } from 'node:timers/promises'

/** Waits until the condition holds. Returns the time that this took, in milliseconds, with a resolution of 20 ms. */
export async function waitUntil(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const startedMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedMs > timeoutMs) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await setTimeout(20, undefined, { signal })
  }
  return Math.round(performance.now() - startedMs)
}
