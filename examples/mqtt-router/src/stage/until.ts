import { setTimeout } from 'node:timers/promises'

/** Waits until something is so; returns how many milliseconds that took, give or take 20. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const begunMs = performance.now()
  while (!(await isSo())) {
    if (performance.now() - begunMs > timeoutMs) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await setTimeout(20, undefined, { signal })
  }
  return Math.round(performance.now() - begunMs)
}
