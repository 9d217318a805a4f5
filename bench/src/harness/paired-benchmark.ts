import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { spread } from './stats.ts'

/** Who is measured: a driver by itself, or our client on top of it. */
type Subject = 'bare' | 'ours'

/** What one measurement in a fresh process reads. */
interface Measurement {
  readonly perSecond: number
  /** Processor time of the process for each operation, in microseconds. */
  readonly cpuUs: number
  /** What was allocated for each operation; undefined when it was not counted, since counting costs time. */
  readonly allocatedBytes: number | undefined
}

/** Readings of both in turn, and what each allocated. */
export interface PairedMeasurements {
  readonly bare: readonly Measurement[]
  readonly ours: readonly Measurement[]
  readonly allocated: Readonly<Record<Subject, number>>
}

/** Whose cost is measured, and whether in bytes as well. */
export interface MeasurementTask {
  readonly subject: Subject
  readonly countsAllocations: boolean
}

const childMs = 60_000

/** Measures both in turn and in changing order, so that a machine that grows slower or faster is unfair to neither. */
export async function measurePairs<O extends object>(
  program: URL,
  task: O,
  pairs: number,
): Promise<PairedMeasurements> {
  const measurements = { bare: [] as Measurement[], ours: [] as Measurement[] }
  for (let pair = 0; pair < pairs; pair++) {
    const order = pair % 2 === 0 ? (['bare', 'ours'] as const) : (['ours', 'bare'] as const)
    for (const subject of order)
      measurements[subject].push(await measureOnce(program, { ...task, subject, countsAllocations: false }))
  }
  const allocation = async (subject: Subject): Promise<number> =>
    (await measureOnce(program, { ...task, subject, countsAllocations: true })).allocatedBytes ?? Number.NaN
  return { ...measurements, allocated: { bare: await allocation('bare'), ours: await allocation('ours') } }
}

async function measureOnce(program: URL, task: MeasurementTask): Promise<Measurement> {
  const child = fork(fileURLToPath(program), { timeout: childMs, killSignal: 'SIGKILL' })
  let measurement: Measurement | undefined
  child.once('message', (message) => {
    measurement = message as Measurement
  })
  child.send(task)
  const [code, signal] = await once(child, 'exit')
  if (measurement === undefined) throw new Error(`${task.subject} ended without a figure (${code ?? signal})`)
  return measurement
}

/** What pairs come to: medians, and the median of the ratios of the pairs. */
export function summarizePairs({ bare, ours }: PairedMeasurements): {
  readonly bare: Measurement
  readonly ours: Measurement
  readonly ratio: number
  readonly extraUs: number
} {
  const ratios = ours.map((one, i) => one.perSecond / (bare[i]?.perSecond ?? 1))
  const [bareMedian, oursMedian] = [medians(bare), medians(ours)]
  return {
    bare: bareMedian,
    ours: oursMedian,
    ratio: spread(ratios)?.median ?? 0,
    extraUs: oursMedian.cpuUs - bareMedian.cpuUs,
  }
}

function medians(measurements: readonly Measurement[]): Measurement {
  const median = (of: (one: Measurement) => number): number => spread(measurements.map(of))?.median ?? 0
  return {
    perSecond: median(({ perSecond }) => perSecond),
    cpuUs: median(({ cpuUs }) => cpuUs),
    allocatedBytes: undefined,
  }
}

/** Begins one operation and calls back when it is done. */
export type StartOperation = (done: () => void) => void

// Until the compiler has done with what runs all the time: it compiles beside the program, after some ten thousand calls,
// and that is not part of the cost of one operation.
const warmUpMs = 700
const warmUpOperations = 20_000
const longestWarmUpMs = 10_000
const runMs = 2_000

/** The side of a measured process: reads its order, prepares, measures, reports, and ends the process. */
export async function measureAndExit<O>(measure: (task: O) => Promise<Measurement>): Promise<never> {
  const [task] = (await once(process, 'message')) as [O]
  process.send?.(await measure(task))
  process.exit(0)
}

/** Runs operations as fast as they are done, `window` of them at a time, and reads what one costs. */
export async function measureAtFullSpeed(
  begin: StartOperation,
  { window, countsAllocations }: Pick<MeasurementTask, 'countsAllocations'> & { readonly window: number },
): Promise<Measurement> {
  let finished = 0
  const done = (): void => {
    finished += 1
    begin(done)
  }
  for (let i = 0; i < window; i++) begin(done)
  await warmUp(() => finished)
  const allocated = countsAllocations ? await countAllocations() : undefined
  const [before, cpuBefore, fromMs] = [finished, process.cpuUsage(), performance.now()]
  await sleep(runMs)
  const [count, cpu, tookMs] = [finished - before, process.cpuUsage(cpuBefore), performance.now() - fromMs]
  return {
    perSecond: count / (tookMs / 1_000),
    cpuUs: (cpu.user + cpu.system) / count,
    allocatedBytes: allocated === undefined ? undefined : (await allocated()) / count,
  }
}

async function warmUp(finished: () => number): Promise<void> {
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

interface HeapNode {
  readonly selfSize: number
  readonly children: readonly HeapNode[]
}

function sizeOf({ selfSize, children }: HeapNode): number {
  return children.reduce((sum, child) => sum + sizeOf(child), selfSize)
}
