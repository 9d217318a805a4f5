import { formatEndpoint } from '@ha/core'
import { positive, readOptions } from '../harness/args.ts'
import { measurePairs, type PairedMeasurements, summarizePairs } from '../harness/paired-benchmark.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { withRabbitCluster } from './cluster.ts'

const windows = [1, 64, 512]
const sizes = [100, 4_096]

interface Cell {
  readonly window: number
  readonly bytes: number
  readonly pairs: PairedMeasurements
}

const program = new URL('./throughput-process.js', import.meta.url)

/** `npm run bench -- rabbit-throughput`: ours against bare amqplib, in turn, on the same broker and queue. */
export async function throughputBench(argv: readonly string[]): Promise<boolean> {
  const pairs = positive(readOptions(argv, ['pairs'])['pairs'], 7, 'pairs')
  return withRabbitCluster('bench', async (lab) => {
    const [node] = lab.nodes
    if (node === undefined) throw new Error('the lab has no node')
    const endpoint = formatEndpoint(node.endpoint)
    const cells: Cell[] = []
    for (const window of windows) {
      for (const bytes of sizes) {
        const measured = await measurePairs(program, { endpoint, window, bytes }, pairs)
        const cell = { window, bytes, pairs: measured }
        cells.push(cell)
        console.log(rowOf(cell).join('  '))
      }
    }
    report(cells, lab.version)
    return true
  })
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

function rowOf({ window, bytes, pairs }: Cell): readonly string[] {
  const { bare, ours, ratio, extraUs } = summarizePairs(pairs)
  return [
    String(window),
    `${bytes} B`,
    bare.perSecond.toFixed(0),
    ours.perSecond.toFixed(0),
    `${(ratio * 100).toFixed(1)} %`,
    `${extraUs.toFixed(1)} us of ${bare.cpuUs.toFixed(1)}`,
    pairs.allocated.bare.toFixed(0),
    pairs.allocated.ours.toFixed(0),
  ]
}
