import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapStatistics } from 'node:v8'
import type { Reading, Timing } from './pairs.ts'

/** Begins one operation and calls back when it is done. */
export type Begin = (done: () => void) => void

/** The side of a measured process: reads its order, prepares, measures, reports, and ends the process. */
export async function measureAndExit<O>(measure: (order: O) => Promise<Reading>): Promise<never> {
  const [order] = (await once(process, 'message')) as [O]
  process.send?.(await measure(order))
  process.exit(0)
}

/** Runs operations as fast as they are done, `window` of them at a time, and reads what one costs. */
export async function atFullSpeed(
  begin: Begin,
  { window, warmUpMs, runMs }: Timing & { readonly window: number },
): Promise<Reading> {
  let finished = 0
  const done = (): void => {
    finished += 1
    begin(done)
  }
  for (let i = 0; i < window; i++) begin(done)
  await sleep(warmUpMs)
  const heapBefore = used()
  const [before, cpuBefore, fromMs] = [finished, process.cpuUsage(), performance.now()]
  await sleep(runMs)
  const [count, cpu, tookMs] = [finished - before, process.cpuUsage(cpuBefore), performance.now() - fromMs]
  return {
    perSecond: count / (tookMs / 1_000),
    cpuUs: (cpu.user + cpu.system) / count,
    grownBytes: (used() - heapBefore) / count,
  }
}

function used(): number {
  return getHeapStatistics().used_heap_size
}
