// One measurement in a fresh process: runs a statement as fast as answers come, with a window, for a while.
import { createMariadb } from '@ha/mariadb'
import { createPool } from 'mariadb'
import {
  type MeasurementTask,
  measureAndExit,
  measureAtFullSpeed,
  type StartOperation,
} from '../harness/paired-benchmark.ts'
import { addressOf, jdbcUrl, login } from './cluster.ts'
import type { Workload } from './overhead.ts'

export interface OverheadTask extends MeasurementTask {
  readonly endpoint: string
  readonly sql: string
  readonly rows: number
  readonly workload: Workload
  readonly connections: number
  readonly window: number
}

type Query = (sql: string, args: readonly number[] | undefined) => Promise<unknown>

async function bare({ endpoint, connections }: OverheadTask): Promise<Query> {
  const pool = createPool({ ...addressOf(endpoint), ...login, connectionLimit: connections })
  await pool.query('SELECT 1')
  return (sql, args) => pool.query(sql, args)
}

async function ours({ endpoint, connections }: OverheadTask): Promise<Query> {
  const mariadb = createMariadb(jdbcUrl('sequential', [endpoint]), { pool: { maximumSize: connections } })
  await mariadb.ready()
  return (sql, args) => mariadb.query(sql, args)
}

function beginOf({ sql, workload, rows }: OverheadTask, query: Query): StartOperation {
  let number = 0
  const args = (): readonly number[] | undefined => {
    number += 1
    return workload === 'select 1' ? undefined : [number % rows]
  }
  return (done) => void query(sql, args()).then(done)
}

await measureAndExit<OverheadTask>(async (task) =>
  measureAtFullSpeed(beginOf(task, await (task.subject === 'bare' ? bare(task) : ours(task))), task),
)
