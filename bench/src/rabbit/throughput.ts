import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { formatEndpoint } from '@ha/core'
import { positive, readOptions } from '../harness/args.ts'
import { saveResults } from '../harness/results.ts'
import { spread } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { withLab } from './lab.ts'
import type { ThroughputOrder, ThroughputReading } from './throughput-process.ts'

const windows = [1, 64, 512]
const sizes = [100, 4_096]
const runMs = 2_000
const childMs = 60_000

interface Cell {
  readonly window: number
  readonly bytes: number
  readonly bare: readonly ThroughputReading[]
  readonly ours: readonly ThroughputReading[]
  readonly allocated: { readonly bare: number; readonly ours: number }
}

// A young generation of half a gigabyte is not collected within a run: the heap grows by what is allocated.
const neverCollects = ['--min-semi-space-size=512', '--max-semi-space-size=512']

/** `npm run bench -- rabbit-throughput`: ours against bare amqplib, in turn, on the same broker and queue. */
export async function throughputBench(argv: readonly string[]): Promise<boolean> {
  const pairs = positive(readOptions(argv, ['pairs'])['pairs'], 7, 'pairs')
  return withLab('bench', async (lab) => {
    const [node] = lab.nodes
    if (node === undefined) throw new Error('the lab has no node')
    const endpoint = formatEndpoint(node.endpoint)
    const cells: Cell[] = []
    for (const window of windows) {
      for (const bytes of sizes) cells.push(await measureCell({ endpoint, window, bytes, runMs }, pairs))
    }
    report(cells, lab.version)
    return true
  })
}

// In turn and in changing order, so that a machine that grows slower or faster is unfair to neither.
async function measureCell(order: Omit<ThroughputOrder, 'who'>, pairs: number): Promise<Cell> {
  const readings = { bare: [] as ThroughputReading[], ours: [] as ThroughputReading[] }
  for (let pair = 0; pair < pairs; pair++) {
    const turn = pair % 2 === 0 ? (['bare', 'ours'] as const) : (['ours', 'bare'] as const)
    for (const who of turn) readings[who].push(await measureOnce({ ...order, who }))
  }
  const allocation = async (who: 'bare' | 'ours'): Promise<number> =>
    (await measureOnce({ ...order, who }, neverCollects)).grownBytes
  const allocated = { bare: await allocation('bare'), ours: await allocation('ours') }
  const cell = { window: order.window, bytes: order.bytes, allocated, ...readings }
  console.log(rowOf(cell).join('  '))
  return cell
}

const program = fileURLToPath(new URL('./throughput-process.js', import.meta.url))

async function measureOnce(
  order: ThroughputOrder,
  execArgv: readonly string[] = [],
): Promise<ThroughputReading> {
  const child = fork(program, { execArgv: [...execArgv], timeout: childMs, killSignal: 'SIGKILL' })
  let reading: ThroughputReading | undefined
  child.once('message', (message) => {
    reading = message as ThroughputReading
  })
  child.send(order)
  const [code, signal] = await once(child, 'exit')
  if (reading === undefined) throw new Error(`${order.who} ended without a figure (${code ?? signal})`)
  return reading
}

function report(cells: readonly Cell[], version: string): void {
  const head = [
    'window',
    'size',
    'bare amqplib msg/s',
    'ours msg/s',
    'ours / bare, median of pairs',
    'extra CPU per message',
    'bytes allocated, bare',
    'ours',
  ]
  const table = markdownTable(head, cells.map(rowOf))
  const title = `Confirmed publishing on RabbitMQ ${version}: ours against bare amqplib, one channel, one durable queue`
  const where = saveResults('bench-rabbit-throughput', { title, table, pictures: [], data: cells })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

function rowOf({ window, bytes, bare, ours, allocated }: Cell): readonly string[] {
  const median = (readings: readonly ThroughputReading[], of: (one: ThroughputReading) => number): number =>
    spread(readings.map(of))?.median ?? 0
  const pairs = ours.map((one, i) => one.perSecond / (bare[i]?.perSecond ?? 1))
  const extraUs = median(ours, ({ cpuUs }) => cpuUs) - median(bare, ({ cpuUs }) => cpuUs)
  return [
    String(window),
    `${bytes} B`,
    median(bare, ({ perSecond }) => perSecond).toFixed(0),
    median(ours, ({ perSecond }) => perSecond).toFixed(0),
    `${((spread(pairs)?.median ?? 0) * 100).toFixed(1)} %`,
    `${extraUs.toFixed(1)} us of ${median(bare, ({ cpuUs }) => cpuUs).toFixed(1)}`,
    allocated.bare.toFixed(0),
    allocated.ours.toFixed(0),
  ]
}
