import { once } from 'node:events'
import { Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Order, Reading } from './pairs.ts'

/** Begins one operation and calls back when it is done. */
export type Begin = (done: () => void) => void

// Until the compiler has done with what runs all the time: it compiles beside the program, after some ten thousand calls,
// and what it takes for that is nobody's cost of one operation.
const warmUpMs = 700
const warmUpOperations = 20_000
const longestWarmUpMs = 10_000
const runMs = 2_000

/** The side of a measured process: reads its order, prepares, measures, reports, and ends the process. */
export async function measureAndExit<O>(measure: (order: O) => Promise<Reading>): Promise<never> {
  const [order] = (await once(process, 'message')) as [O]
  process.send?.(await measure(order))
  process.exit(0)
}

/** Runs operations as fast as they are done, `window` of them at a time, and reads what one costs. */
export async function atFullSpeed(
  begin: Begin,
  { window, isCounted }: Pick<Order, 'isCounted'> & { readonly window: number },
): Promise<Reading> {
  let finished = 0
  const done = (): void => {
    finished += 1
    begin(done)
  }
  for (let i = 0; i < window; i++) begin(done)
  await warmedUp(() => finished)
  const allocated = isCounted ? await countAllocations() : undefined
  const [before, cpuBefore, fromMs] = [finished, process.cpuUsage(), performance.now()]
  await sleep(runMs)
  const [count, cpu, tookMs] = [finished - before, process.cpuUsage(cpuBefore), performance.now() - fromMs]
  return {
    perSecond: count / (tookMs / 1_000),
    cpuUs: (cpu.user + cpu.system) / count,
    allocatedBytes: allocated === undefined ? undefined : (await allocated()) / count,
  }
}

async function warmedUp(finished: () => number): Promise<void> {
  const untilMs = performance.now() + longestWarmUpMs
  do await sleep(warmUpMs)
  while (finished() < warmUpOperations && performance.now() < untilMs)
}

// Fine enough for thousands of operations, and coarse enough not to be what is measured.
const samplingInterval = 16_384

// Counts what is allocated from now on, collected or not; the returned function ends that and says how many bytes.
async function countAllocations(): Promise<() => Promise<number>> {
  const session = new Session()
  session.connect()
  await session.post('HeapProfiler.startSampling', {
    samplingInterval,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  })
  return async () => {
    const { profile } = await session.post('HeapProfiler.stopSampling')
    session.disconnect()
    return sizeOf(profile.head)
  }
}

interface Place {
  readonly selfSize: number
  readonly children: readonly Place[]
}

function sizeOf({ selfSize, children }: Place): number {
  return children.reduce((sum, child) => sum + sizeOf(child), selfSize)
}
