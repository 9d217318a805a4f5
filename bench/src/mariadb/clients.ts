import { isHaError } from '@ha/core'
import { createMariadb, type Mariadb, MariadbError, type Row } from '@ha/mariadb'
import { createPoolCluster as createMariadbPoolCluster } from 'mariadb'
import { createPoolCluster as createMysqlPoolCluster, type PoolNamespace } from 'mysql2'
import type { Failure } from '../harness/traffic.ts'
import type { EventFacts } from '../harness/worker.ts'
import { addressOf, jdbcUrl, login, type Mode } from './cluster.ts'
import type { Tables, Transfer } from './tables.ts'

/** What every client under test is given. */
export interface ClientSetup {
  readonly mode: Mode
  /** `host:port` of each server, in the order in which they are to be tried. */
  readonly endpoints: readonly string[]
  readonly tables: Tables
  readonly connections: number
  readonly onEvent: (name: string, facts: EventFacts) => void
}

/** A client under test. Its calls reject with whatever the client rejects with. */
export interface ClientUnderTest {
  /** Writes one row; it commits by itself. */
  insert(id: number): Promise<unknown>
  explain(error: unknown): Failure
  /** Operations that only some clients support. */
  readonly more?: {
    transfer(transfer: Transfer): Promise<unknown>
    read(account: number): Promise<unknown>
    /** Whether the row that was written just now is to be seen. */
    readOwn(id: number): Promise<boolean>
  }
  close(): Promise<unknown>
}

/** A client library with its documented settings for a single writer that fails over. */
interface ClientAdapter {
  readonly name: string
  /** Which settings, for the report. */
  readonly settings: string
  start(setup: ClientSetup): Promise<ClientUnderTest>
}

/** A rejection that does not say what happened: the outcome is unknown. */
function unknownFailure(error: unknown): Failure {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string }
  return { outcome: 'unknown', error: typeof code === 'string' ? code : (message ?? String(error)) }
}

/** Our own client on the URL of a Java service, with its defaults; it returns to a better server after three seconds. */
export const ours: ClientAdapter = {
  name: '@ha/mariadb',
  settings:
    'JDBC URL; defaults, a commit log, session consistency, back to a better server after three seconds',
  async start(setup: ClientSetup): Promise<ClientUnderTest> {
    const { mode, endpoints, connections } = setup
    const mariadb = createMariadb(jdbcUrl(mode, endpoints), {
      commitLog: { create: true },
      consistency: 'session',
      pool: { maximumSize: connections },
      failBack: { afterMs: 3_000 },
    })
    forwardEvents(mariadb, setup.onEvent)
    await mariadb.ready()
    return clientUnderTest(mariadb, setup)
  },
}

function clientUnderTest(mariadb: Mariadb, { tables }: ClientSetup): ClientUnderTest {
  return {
    insert: (id) => mariadb.query(`INSERT INTO ${tables.rows} (id) VALUES (?)`, [id]),
    explain,
    more: {
      transfer: ({ id, source, target, amount }) =>
        mariadb.transaction(async (transaction) => {
          const book = `UPDATE ${tables.accounts} SET balance = balance + ? WHERE id = ?`
          await transaction.query(book, [-amount, source])
          await transaction.query(book, [amount, target])
          const note = `INSERT INTO ${tables.journal} (id, source, target, amount) VALUES (?, ?, ?, ?)`
          await transaction.query(note, [id, source, target, amount])
        }),
      read: (account) =>
        mariadb.query(`SELECT balance FROM ${tables.accounts} WHERE id = ?`, [account], {
          route: 'any',
          consistency: 'eventual',
        }),
      async readOwn(id) {
        const rows = await mariadb.query<Row>(`SELECT id FROM ${tables.rows} WHERE id = ?`, [id], {
          route: 'any',
        })
        return rows.length > 0
      },
    },
    close: () => mariadb.close(),
  }
}

/** What an error of ours says. */
export function explain(error: unknown): Failure {
  if (!(error instanceof MariadbError)) return { outcome: 'unknown', error: `not ours: ${String(error)}` }
  const { code, outcome, errno, cause } = error
  // Nothing may reject and be done.
  if (outcome === 'done') return { outcome: 'unknown', error: `${code} though done` }
  const because = errno ?? (isHaError(cause) ? cause.code : undefined)
  return { outcome, error: because === undefined ? code : `${code} (${because})` }
}

function forwardEvents({ events }: Mariadb, report: ClientSetup['onEvent']): void {
  events.on('host', ({ endpoint, from, to, error }) =>
    report('host', { endpoint, from, to, error: error?.message }),
  )
  events.on('failover', ({ from, to, error }) => report('failover', { from, to, error: error?.message }))
  events.on('failback', ({ from, to }) => report('failback', { from, to }))
  events.on('quorumLost', ({ error }) => report('quorumLost', { error: error.message }))
  events.on('quorumRestored', ({ endpoint }) => report('quorumRestored', { endpoint }))
  events.on('exhausted', ({ endpoint, error }) => report('exhausted', { endpoint, error: error.message }))
  events.on('outcomeUnknown', ({ name, endpoint, token }) =>
    report('outcomeUnknown', { name, endpoint, token }),
  )
  events.on('outcomeResolved', ({ token, fate }) => report('outcomeResolved', { token, fate }))
  events.on('warning', ({ text }) => report('warning', { text }))
}

/** The PoolCluster of MariaDB's own driver, in the order of the list. */
export const mariadbCluster: ClientAdapter = {
  name: 'mariadb 3 PoolCluster',
  settings: 'createPoolCluster, selector ORDER, connectTimeout and acquireTimeout 2 s, otherwise defaults',
  async start({ endpoints, tables, connections }: ClientSetup): Promise<ClientUnderTest> {
    const cluster = createMariadbPoolCluster()
    for (const [i, endpoint] of endpoints.entries()) {
      cluster.add(`n${i}`, {
        ...addressOf(endpoint),
        ...login,
        connectionLimit: connections,
        connectTimeout: 2_000,
        // Ten seconds otherwise, and it goes on to the next server only then.
        acquireTimeout: 2_000,
      })
    }
    const all = cluster.of('n*', 'ORDER')
    await all.query('SELECT 1')
    return {
      insert: (id) => all.query(`INSERT INTO ${tables.rows} (id) VALUES (?)`, [id]),
      explain: unknownFailure,
      close: () => cluster.end(),
    }
  },
}

/** The PoolCluster of mysql2, in the order of the list. */
const mysql2Cluster: ClientAdapter = {
  name: 'mysql2 3 PoolCluster',
  settings: 'createPoolCluster, selector ORDER, connectTimeout 2 s, otherwise defaults',
  async start({ endpoints, tables, connections }: ClientSetup): Promise<ClientUnderTest> {
    const cluster = createMysqlPoolCluster({})
    for (const [i, endpoint] of endpoints.entries()) {
      cluster.add(`n${i}`, {
        ...addressOf(endpoint),
        ...login,
        connectionLimit: connections,
        connectTimeout: 2_000,
      })
    }
    const all = cluster.of('n*', 'ORDER')
    await queried(all, 'SELECT 1', [])
    return {
      insert: (id) => queried(all, `INSERT INTO ${tables.rows} (id) VALUES (?)`, [id]),
      explain: unknownFailure,
      close: () =>
        new Promise((resolve) => {
          cluster.end(() => resolve(undefined))
        }),
    }
  },
}

function queried(pool: PoolNamespace, sql: string, values: readonly unknown[]): Promise<void> {
  return new Promise((resolve, reject) => {
    pool.query(sql, [...values], (error) => (error ? reject(error) : resolve()))
  })
}

/** All clients under test, ours first. */
export const clientAdapters: readonly ClientAdapter[] = [ours, mariadbCluster, mysql2Cluster]

/** The adapter of that name; throws when there is none. */
export function adapterNamed(name: string): ClientAdapter {
  const maker = clientAdapters.find((client) => client.name === name)
  if (maker === undefined) throw new Error(`there is no client '${name}'`)
  return maker
}
