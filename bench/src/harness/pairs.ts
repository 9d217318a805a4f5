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
  /** What was allocated for each operation; undefined where nobody counted, which costs time. */
  readonly allocatedBytes: number | undefined
}

/** Readings of both in turn, and what each allocated. */
export interface Pairs {
  readonly bare: readonly Reading[]
  readonly ours: readonly Reading[]
  readonly allocated: Readonly<Record<Who, number>>
}

/** Whose cost is measured, and whether in bytes as well. */
export interface Order {
  readonly who: Who
  readonly isCounted: boolean
}

const childMs = 60_000

/** Measures both in turn and in changing order, so that a machine that grows slower or faster is unfair to neither. */
export async function measurePairs<O extends object>(program: URL, order: O, pairs: number): Promise<Pairs> {
  const readings = { bare: [] as Reading[], ours: [] as Reading[] }
  for (let pair = 0; pair < pairs; pair++) {
    const turn = pair % 2 === 0 ? (['bare', 'ours'] as const) : (['ours', 'bare'] as const)
    for (const who of turn)
      readings[who].push(await measureOnce(program, { ...order, who, isCounted: false }))
  }
  const allocation = async (who: Who): Promise<number> =>
    (await measureOnce(program, { ...order, who, isCounted: true })).allocatedBytes ?? Number.NaN
  return { ...readings, allocated: { bare: await allocation('bare'), ours: await allocation('ours') } }
}

async function measureOnce(program: URL, order: Order): Promise<Reading> {
  const child = fork(fileURLToPath(program), { timeout: childMs, killSignal: 'SIGKILL' })
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
    allocatedBytes: undefined,
  }
}
