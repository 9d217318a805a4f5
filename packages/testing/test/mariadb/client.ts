import type { Duplex } from 'node:stream'
import { settle } from '@ha/core/testing'
import { type Connection, type ConnectionConfig, createConnection } from 'mariadb'
import type { FakeCluster, FakeNode, Value } from '../../src/mariadb/index.ts'

/** One client of a node, with a bare connection of the driver, and what became of it. */
export interface Client extends AsyncDisposable {
  readonly connection: Connection
  readonly stream: Duplex
  /** The errors that the connection has emitted. */
  readonly errors: readonly Error[]
  /** Runs a statement; the rows, how many rows it changed, or the number of the error. */
  run(sql: string, values?: readonly unknown[]): Promise<unknown>
}

/** Logs in to a node in memory, as root unless told otherwise. */
export function client(node: FakeNode, config: ConnectionConfig = {}): Promise<Client> {
  return clientOn(node.dial(), config)
}

/** Logs in over a stream. */
export async function clientOn(stream: Duplex, config: ConnectionConfig = {}): Promise<Client> {
  const errors: Error[] = []
  // Who refuses to connect says so through the driver.
  stream.on('error', () => undefined)
  const connection = await createConnection({
    user: 'root',
    database: 'test',
    stream: (callback: (error: Error | undefined, stream: Duplex) => void) => callback(undefined, stream),
    ...config,
  } as ConnectionConfig)
  connection.on('error', (error) => errors.push(error))
  return {
    connection,
    stream,
    errors,
    run: (sql, values) => outcomeOf(connection.query(sql, values)),
    [Symbol.asyncDispose]: async () => {
      connection.destroy()
      stream.destroy()
      await settle()
    },
  }
}

/** The rows of an answer, how many rows it changed, or the number of its error. */
export async function outcomeOf(answer: Promise<unknown>): Promise<unknown> {
  try {
    const value = await answer
    if (Array.isArray(value)) return [...value]
    return (value as { affectedRows: number }).affectedRows
  } catch (error) {
    const { errno, code } = error as { readonly errno?: number; readonly code?: string }
    return errno !== undefined && errno > 0 ? errno : code
  }
}

/** Makes a table of keys and numbers. */
export async function keyTable(
  cluster: FakeCluster,
  rows: Readonly<Record<string, number>> = {},
): Promise<void> {
  await cluster.query('CREATE TABLE t (k VARCHAR(40) PRIMARY KEY, v INT NOT NULL)')
  for (const [k, v] of Object.entries(rows)) await cluster.query('INSERT INTO t VALUES (?, ?)', [k, v])
}

/** What is in that table now. */
export async function keys(cluster: FakeCluster): Promise<Readonly<Record<string, Value>>> {
  const rows = await cluster.query('SELECT k, v FROM t ORDER BY k')
  return Object.fromEntries(rows.map(({ k, v }) => [String(k), v ?? null]))
}

/** Lets everything that is under way in memory arrive. */
export async function arrive(): Promise<void> {
  for (let i = 0; i < 10; i += 1) await settle()
}
