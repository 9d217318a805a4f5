import { formatEndpoint } from '@ha/core'
import { positive, readOptions } from '../harness/args.ts'
import { withLab } from '../harness/lab.ts'
import { measurePairs, type PairedMeasurements, summarizePairs } from '../harness/paired-benchmark.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { withConnection } from './cluster.ts'

/** What is run: a statement without a table, a read by the primary key, a write. */
export type Workload = 'select 1' | 'read by key' | 'insert'

const statements: Readonly<Record<Workload, string>> = {
  'select 1': 'SELECT 1',
  'read by key': 'SELECT id, name FROM overhead WHERE id = ?',
  insert: 'INSERT INTO overhead_written (number) VALUES (?)',
}

const windows = [1, 16, 64]

// One at a time, a process waits more than it works, and what it costs depends on what the machine did meanwhile: single
// readings of one and the same program differ by ten microseconds.
const timesMorePairs = (window: number): number => (window === 1 ? 2 : 1)
// As many as are under way, up to the default of both pools. A bare pool uses all of its connections in turn and ours the
// warmest again; of ten connections for one query at a time, going round was 15 us cheaper here, which is the kernel's
// doing and says nothing of either client.
const maxConnections = 10
const rows = 1_000
const program = new URL('./overhead-process.js', import.meta.url)

// Whichever is larger: what a query may cost more than on the bare pool.
const maxOverheadShare = 0.05
const maxOverheadUs = 15

interface Cell {
  readonly workload: Workload
  readonly window: number
  readonly pairs: PairedMeasurements
}

/** `npm run bench -- mariadb-overhead`: ours against one bare pool of the driver, in turn, on the same single server. */
export async function overheadBench(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['pairs', 'window'])
  const pairs = positive(options['pairs'], 7, 'pairs')
  const only = options['window'] === undefined ? windows : [positive(options['window'], 1, 'window')]
  const request = { kind: 'replication', nodes: 1 } as const
  return withLab({ purpose: 'bench', description: 'one MariaDB server', request }, async (lab) => {
    const [node] = lab.nodes
    if (node === undefined) throw new Error('the lab has no node')
    const endpoint = formatEndpoint(node.endpoint)
    await prepare(endpoint)
    const cells: Cell[] = []
    for (const [workload, sql] of Object.entries(statements) as [Workload, string][]) {
      for (const window of only) {
        const connections = Math.min(window, maxConnections)
        const task = { endpoint, sql, rows, workload, connections, window }
        const cell = {
          workload,
          window,
          pairs: await measurePairs(program, task, pairs * timesMorePairs(window)),
        }
        cells.push(cell)
        console.log(rowOf(cell).join('  '))
      }
    }
    report(cells, lab.version)
    return cells.every(isWithinBound)
  })
}

async function prepare(endpoint: string): Promise<void> {
  const values = Array.from({ length: rows }, (_, id) => `(${id}, 'name of ${id}')`).join(', ')
  await withConnection(endpoint, async (connection) => {
    await connection.query('CREATE TABLE overhead (id INT PRIMARY KEY, name VARCHAR(40))')
    await connection.query(`INSERT INTO overhead VALUES ${values}`)
    await connection.query(
      'CREATE TABLE overhead_written (n BIGINT AUTO_INCREMENT PRIMARY KEY, number INT NOT NULL)',
    )
  })
}

function report(cells: readonly Cell[], version: string): void {
  const head = [
    'statement',
    'window',
    'bare pool, queries/s',
    'ours',
    'ours / bare, median of pairs',
    'extra CPU per query',
    'bytes allocated, bare',
    'ours',
    'within 5 % or 15 us',
  ]
  const table = markdownTable(head, cells.map(rowOf))
  const title = `Overhead on MariaDB ${version}: ours against one bare pool of the driver, up to ${maxConnections} connections`
  const where = saveResults('bench-mariadb-overhead', { title, table, pictures: [], data: cells })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

function rowOf(cell: Cell): readonly string[] {
  const { bare, ours, ratio, extraUs } = summarizePairs(cell.pairs)
  return [
    cell.workload,
    String(cell.window),
    bare.perSecond.toFixed(0),
    ours.perSecond.toFixed(0),
    `${(ratio * 100).toFixed(1)} %`,
    `${extraUs.toFixed(1)} us of ${bare.cpuUs.toFixed(1)}`,
    cell.pairs.allocated.bare.toFixed(0),
    cell.pairs.allocated.ours.toFixed(0),
    isWithinBound(cell) ? 'yes' : 'no',
  ]
}

function isWithinBound({ pairs }: Cell): boolean {
  const { ratio, extraUs } = summarizePairs(pairs)
  return ratio >= 1 - maxOverheadShare || extraUs <= maxOverheadUs
}
