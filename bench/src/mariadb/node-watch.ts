import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from 'mariadb'
import { wallMs } from '../harness/wall-clock.ts'
import { dial } from './cluster.ts'

/** What a node said of itself at one moment. */
export interface Sight {
  readonly atMs: number
  readonly isPrimary: boolean
  /** Logins and attempts at it since the server was started. */
  readonly connections: number
  /** Rows that clients asked to insert. */
  readonly inserts: number
}

const everyMs = 20

/** Looks at a node again and again on one connection of the bare driver, until the signal fires. */
export async function watchNode(endpoint: string, signal: AbortSignal): Promise<readonly Sight[]> {
  const sights: Sight[] = []
  const connection = await dial(endpoint)
  try {
    while (!signal.aborted) {
      sights.push(await lookAt(connection))
      await sleep(everyMs)
    }
  } finally {
    connection.destroy()
  }
  return sights
}

async function lookAt(connection: Connection): Promise<Sight> {
  const rows: readonly { readonly Variable_name: string; readonly Value: string }[] = await connection.query(
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'Connections', 'Com_insert')",
  )
  const values = new Map(rows.map((row) => [row.Variable_name, row.Value]))
  return {
    atMs: wallMs(),
    isPrimary: values.get('wsrep_cluster_status') === 'Primary',
    connections: Number(values.get('Connections')),
    inserts: Number(values.get('Com_insert')),
  }
}
