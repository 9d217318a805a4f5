import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { spread } from './stats.ts'

/** Who is measured: a driver by itself, or our client on top of it. */
export type Who = 'bare' | 'ours'

/** What one measurement in a fresh process reads. */
export interface Reading {
  readonly perSecond: number
  /** Processor time of the process for each operation, in microseconds. */
  readonly cpuUs: number
  /** How much the heap grew for each operation, in bytes: what was allocated, in a process that never collects. */
  readonly grownBytes: number
}

/** Readings of both in turn, and what each allocated. */
export interface Pairs {
  readonly bare: readonly Reading[]
  readonly ours: readonly Reading[]
  readonly allocated: Readonly<Record<Who, number>>
}

/** How long a measurement takes: what is warmed up is not measured. */
export interface Timing {
  readonly warmUpMs: number
  readonly runMs: number
}

const usual: Timing = { warmUpMs: 700, runMs: 2_000 }

// A young generation of half a gigabyte is not collected within so short a run: the heap grows by what is allocated.
const neverCollects = ['--min-semi-space-size=512', '--max-semi-space-size=512']
const brief: Timing = { warmUpMs: 300, runMs: 300 }

const childMs = 60_000

/** Measures both in turn and in changing order, so that a machine that grows slower or faster is unfair to neither. */
export async function measurePairs<O extends object>(program: URL, order: O, pairs: number): Promise<Pairs> {
  const readings = { bare: [] as Reading[], ours: [] as Reading[] }
  for (let pair = 0; pair < pairs; pair++) {
    const turn = pair % 2 === 0 ? (['bare', 'ours'] as const) : (['ours', 'bare'] as const)
    for (const who of turn) readings[who].push(await measureOnce(program, { ...order, ...usual, who }))
  }
  const allocation = async (who: Who): Promise<number> =>
    (await measureOnce(program, { ...order, ...brief, who }, neverCollects)).grownBytes
  return { ...readings, allocated: { bare: await allocation('bare'), ours: await allocation('ours') } }
}

async function measureOnce(
  program: URL,
  order: { readonly who: Who },
  execArgv: readonly string[] = [],
): Promise<Reading> {
  const child = fork(fileURLToPath(program), {
    execArgv: [...execArgv],
    timeout: childMs,
    killSignal: 'SIGKILL',
  })
  let reading: Reading | undefined
  child.once('message', (message) => {
    reading = message as Reading
  })
  child.send(order)
  const [code, signal] = await once(child, 'exit')
  if (reading === undefined) throw new Error(`${order.who} ended without a figure (${code ?? signal})`)
  return reading
}

/** What pairs come to: medians, and the median of the ratios of the pairs. */
export function judgePairs({ bare, ours }: Pairs): {
  readonly bare: Reading
  readonly ours: Reading
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

function medians(readings: readonly Reading[]): Reading {
  const median = (of: (one: Reading) => number): number => spread(readings.map(of))?.median ?? 0
  return {
    perSecond: median(({ perSecond }) => perSecond),
    cpuUs: median(({ cpuUs }) => cpuUs),
    grownBytes: median(({ grownBytes }) => grownBytes),
  }
}
