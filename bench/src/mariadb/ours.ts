import { isHaError } from '@ha/core'
import { createMariadb, type Mariadb, MariadbError, type Row } from '@ha/mariadb'
import type { Failure } from '../harness/noted-op.ts'
import { jdbcUrl } from './cluster.ts'
import type { Contestant, ContestantMaker, ContestantSetup } from './contestant.ts'

/** Our own client on the URL of a Java service, with its defaults; it returns to a better server after three seconds. */
export const ours: ContestantMaker = {
  name: '@ha/mariadb',
  settings: 'JDBC URL; defaults, a ledger, session consistency, back to a better server after three seconds',
  async start(setup: ContestantSetup): Promise<Contestant> {
    const { mode, endpoints, connections } = setup
    const mariadb = createMariadb(jdbcUrl(mode, endpoints), {
      commitLog: { create: true },
      consistency: 'session',
      pool: { maximumSize: connections },
      failBack: { afterMs: 3_000 },
    })
    tellEvents(mariadb, setup.onEvent)
    await mariadb.ready()
    return contestantOn(mariadb, setup)
  },
}

function contestantOn(mariadb: Mariadb, { tables }: ContestantSetup): Contestant {
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

function tellEvents({ events }: Mariadb, tell: ContestantSetup['onEvent']): void {
  events.on('host', ({ endpoint, from, to, error }) =>
    tell('host', { endpoint, from, to, error: error?.message }),
  )
  events.on('failover', ({ from, to, error }) => tell('failover', { from, to, error: error?.message }))
  events.on('failback', ({ from, to }) => tell('failback', { from, to }))
  events.on('quorumLost', ({ error }) => tell('quorumLost', { error: error.message }))
  events.on('quorumRestored', ({ endpoint }) => tell('quorumRestored', { endpoint }))
  events.on('exhausted', ({ endpoint, error }) => tell('exhausted', { endpoint, error: error.message }))
  events.on('outcomeUnknown', ({ name, endpoint, token }) =>
    tell('outcomeUnknown', { name, endpoint, token }),
  )
  events.on('outcomeResolved', ({ token, fate }) => tell('outcomeResolved', { token, fate }))
  events.on('warning', ({ text }) => tell('warning', { text }))
}
