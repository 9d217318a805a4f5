import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultLease, Lab } from '@ha/bootstrap'
import { createMariadb, type Mariadb } from '@ha/mariadb'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { ms, quantile } from '../harness/stats.ts'
import { endpointsOf, jdbcUrl, withCluster, withConnection } from './cluster.ts'

/** A fault of the replicas under writes that are read back at once. */
interface ReplicaFault {
  readonly name: string
  /** Begins it; what it returns ends it. */
  readonly begin: (lab: Lab) => Promise<() => Promise<void>>
}

const replicaFaults: readonly ReplicaFault[] = [
  { name: 'none', begin: async () => async () => undefined },
  { name: 'db2 applies everything a second late', begin: delayed },
  { name: 'the applier of db2 stops', begin: (lab) => stopped(lab, ['db2']) },
  { name: 'the appliers of db2 and db3 stop', begin: (lab) => stopped(lab, ['db2', 'db3']) },
]

/** What a series of looks came to. */
interface ReadSeries {
  readonly replicaFault: string
  readonly reads: number
  readonly stale: number
  readonly failed: number
  /** How many looks each server answered. */
  readonly servedBy: Readonly<Record<string, number>>
  readonly tookMs: readonly number[]
  /** Looks of the same kind that asked for no consistency: they show what there was to be missed. */
  readonly staleWithout: number
}

const workers = 8

/** `npm run drill -- mariadb-stale-reads`: write, then read from a replica that may not have it. One stale read fails. */
export async function staleReadsDrill(argv: readonly string[]): Promise<boolean> {
  const reads = positive(readOptions(argv, ['reads'])['reads'], 10_000, 'reads')
  return withCluster('drill', { mode: 'replication', detectMs: 1_000 }, async (lab) => {
    const endpoints = [...endpointsOf(lab).values()]
    await prepare(endpoints[0] ?? '')
    await using mariadb = createMariadb(jdbcUrl('replication', endpoints), { consistency: 'session' })
    await mariadb.ready()
    const names = new Map(lab.nodes.map(({ name, endpoint }) => [endpoint.port, name]))
    const all: ReadSeries[] = []
    for (const { name, begin } of replicaFaults) {
      const heal = await begin(lab)
      all.push(
        await runReads(mariadb, {
          replicaFault: name,
          reads: Math.ceil(reads / replicaFaults.length),
          names,
        }),
      )
      await heal()
      await sleep(1_500)
    }
    report(all, lab.version)
    return all.every(({ stale, failed }) => stale === 0 && failed === 0)
  })
}

async function prepare(primary: string): Promise<void> {
  const values = Array.from({ length: workers }, (_, id) => `(${id}, 0)`).join(', ')
  await withConnection(primary, async (connection) => {
    await connection.query('CREATE TABLE counters (id INT PRIMARY KEY, value INT NOT NULL)')
    await connection.query(`INSERT INTO counters VALUES ${values}`)
  })
}

async function delayed(lab: Lab): Promise<() => Promise<void>> {
  const setDelay = (seconds: number): Promise<string> =>
    lab.ctl('db2', ['-e', `STOP SLAVE; CHANGE MASTER TO MASTER_DELAY=${seconds}; START SLAVE`])
  await setDelay(1)
  return async () => void (await setDelay(0))
}

async function stopped(lab: Lab, nodes: readonly string[]): Promise<() => Promise<void>> {
  const leases: FaultLease[] = []
  for (const node of nodes) leases.push(await lab.stopApplier(node))
  return async () => {
    for (const lease of leases) await lease.heal()
  }
}

async function runReads(
  mariadb: Mariadb,
  {
    replicaFault,
    reads,
    names,
  }: {
    readonly replicaFault: string
    readonly reads: number
    readonly names: ReadonlyMap<number, string>
  },
): Promise<ReadSeries> {
  const all: ReadResult[] = []
  let begun = 0
  const work = async (worker: number): Promise<void> => {
    while (begun < reads) {
      begun += 1
      all.push(await writeAndRead(mariadb, worker, begun))
    }
  }
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)))
  const count = (is: (look: ReadResult) => boolean): number => all.filter(is).length
  const servedBy: Record<string, number> = {}
  for (const { port } of all) {
    const name = names.get(port ?? 0) ?? 'none'
    servedBy[name] = (servedBy[name] ?? 0) + 1
  }
  return {
    replicaFault,
    reads: all.length,
    stale: count(({ isStale }) => isStale),
    failed: count(({ port }) => port === undefined),
    servedBy,
    tookMs: all.map(({ tookMs }) => tookMs),
    staleWithout: count(({ isStaleWithout }) => isStaleWithout),
  }
}

interface ReadResult {
  readonly isStale: boolean
  /** Which server answered; undefined when none did. */
  readonly port: number | undefined
  readonly tookMs: number
  readonly isStaleWithout: boolean
}

async function writeAndRead(mariadb: Mariadb, worker: number, value: number): Promise<ReadResult> {
  const read = async (consistency: 'eventual' | 'session'): Promise<Row | undefined> => {
    const sql = 'SELECT value, @@port AS port FROM counters WHERE id = ?'
    const [row] = await mariadb.query<Row>(sql, [worker], { route: 'replica', consistency })
    return row
  }
  await mariadb.query('UPDATE counters SET value = ? WHERE id = ?', [value, worker])
  const without = await read('eventual')
  const fromMs = performance.now()
  const row = await read('session').catch(() => undefined)
  const tookMs = performance.now() - fromMs
  const isStale = row !== undefined && row.value !== value
  return { isStale, port: row?.port, tookMs, isStaleWithout: without?.value !== value }
}

interface Row {
  readonly value: number
  readonly port: number
}

function report(all: readonly ReadSeries[], version: string): void {
  const rows = all.map(({ replicaFault, reads, stale, failed, servedBy, tookMs, staleWithout }) => [
    replicaFault,
    String(reads),
    String(stale),
    String(failed),
    Object.entries(servedBy)
      .map(([name, count]) => `${name} ${count}`)
      .sort()
      .join(', '),
    ms(quantile(tookMs, 0.5)),
    ms(quantile(tookMs, 0.99)),
    String(staleWithout),
  ])
  const head = [
    'fault',
    'reads',
    'stale',
    'failed',
    'answered by',
    'median',
    'p99',
    'stale without consistency',
  ]
  const table = markdownTable(head, rows)
  const title = `Read your writes on MariaDB ${version}, a primary and two replicas: \`consistency: 'session'\``
  const data = all.map(({ tookMs: _, ...rest }) => rest)
  const where = saveResults('drill-mariadb-stale-reads', { title, table, pictures: [], data })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
