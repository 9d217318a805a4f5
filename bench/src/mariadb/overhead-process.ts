// One measurement in a fresh process: runs a statement as fast as answers come, with a window, for a while.
import { createMariadb } from '@ha/mariadb'
import { createPool } from 'mariadb'
import { atFullSpeed, type Begin, measureAndExit } from '../harness/full-speed.ts'
import type { Order } from '../harness/pairs.ts'
import { addressOf, jdbcUrl, login } from './cluster.ts'
import type { Workload } from './overhead.ts'

export interface OverheadOrder extends Order {
  readonly endpoint: string
  readonly sql: string
  readonly rows: number
  readonly workload: Workload
  readonly connections: number
  readonly window: number
}

type Query = (sql: string, args: readonly number[] | undefined) => Promise<unknown>

async function bare({ endpoint, connections }: OverheadOrder): Promise<Query> {
  const pool = createPool({ ...addressOf(endpoint), ...login, connectionLimit: connections })
  await pool.query('SELECT 1')
  return (sql, args) => pool.query(sql, args)
}

async function ours({ endpoint, connections }: OverheadOrder): Promise<Query> {
  const mariadb = createMariadb(jdbcUrl('sequential', [endpoint]), { pool: { maximumSize: connections } })
  await mariadb.ready()
  return (sql, args) => mariadb.query(sql, args)
}

function beginOf({ sql, workload, rows }: OverheadOrder, query: Query): Begin {
  let number = 0
  const args = (): readonly number[] | undefined => {
    number += 1
    return workload === 'select 1' ? undefined : [number % rows]
  }
  return (done) => void query(sql, args()).then(done)
}

await measureAndExit<OverheadOrder>(async (order) =>
  atFullSpeed(beginOf(order, await (order.who === 'bare' ? bare(order) : ours(order))), order),
)
