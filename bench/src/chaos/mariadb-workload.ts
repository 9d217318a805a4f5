import type { Lab } from '@ha/bootstrap'
import { createMariadb, type Mariadb } from '@ha/mariadb'
import { Traffic } from '../harness/traffic.ts'
import { connect, endpointsOf, jdbcUrl } from '../mariadb/cluster.ts'
import { accounts, createTables, readEverywhere, startBalance, tablesOf } from '../mariadb/tables.ts'
import type { PublicCall } from './misuse.ts'
import { outcomeOf, type Verdict, type Workload } from './workload.ts'

const rates = { insert: 20, transfer: 10, read: 10 }
const settleMs = 60_000

interface Spec {
  readonly kind: keyof typeof rates
}

/** Inserts numbered rows, moves money between accounts, and reads. */
export async function startMariadbWorkload(lab: Lab): Promise<Workload> {
  const endpoints = [...endpointsOf(lab).values()]
  const tables = tablesOf(0, 'chaos')
  await createTables(endpoints[0] ?? '', tables)
  const mariadb = createMariadb(jdbcUrl('sequential', endpoints), { commitLog: { create: true } })
  await mariadb.ready()
  const traffic = new Traffic<Spec>({ isWrite: (kind) => kind !== 'read', explain: outcomeOf })
  const run: Readonly<Record<Spec['kind'], (id: number) => Promise<unknown>>> = {
    insert: (id) => mariadb.query(`INSERT INTO ${tables.rows} (id) VALUES (?)`, [id]),
    transfer: (id) =>
      mariadb.transaction(async (transaction) => {
        const move = `UPDATE ${tables.accounts} SET balance = balance + ? WHERE id = ?`
        await transaction.query(move, [-1, id % accounts])
        await transaction.query(move, [1, (id + 7) % accounts])
        const journal = `INSERT INTO ${tables.journal} (id, source, target, amount) VALUES (?, ?, ?, 1)`
        await transaction.query(journal, [id, id % accounts, (id + 7) % accounts])
      }),
    read: (id) => mariadb.query(`SELECT balance FROM ${tables.accounts} WHERE id = ?`, [id % accounts]),
  }
  traffic.start(rates, (kind) => traffic.note({ kind }, run[kind]))
  let abortedBefore = 0
  const aborted = async (): Promise<number> => (await abortedClients(endpoints)) - abortedBefore
  abortedBefore = await aborted()
  return {
    system: 'mariadb',
    lab,
    losses: aborted,
    calls: mariadbCalls(mariadb),
    async stop() {
      traffic.stop()
      await traffic.settled(settleMs)
    },
    async verify() {
      const contents = await readEverywhere(endpoints, tables, 'sequential')
      const verdicts = contents.map(({ rows, journal, balances }) => {
        const total = [...balances.values()].reduce((sum, balance) => sum + Number(balance), 0)
        return judge(traffic, [...rows.map(Number), ...journal.map(({ id }) => Number(id))], total)
      })
      return worst(verdicts)
    },
    close: async () => void (await mariadb.close()),
  }
}

function judge({ ops }: Traffic<Spec>, ids: readonly number[], total: number): Verdict {
  const found = new Map<number, number>()
  for (const id of ids) found.set(id, (found.get(id) ?? 0) + 1)
  const writes = ops.filter(({ kind }) => kind !== 'read')
  const of = (outcome: string) => writes.filter((op) => op.outcome === outcome)
  const count = (outcome: string) => ops.filter((op) => op.outcome === outcome).length
  return {
    operations: ops.length,
    done: count('done'),
    notDone: count('not-done'),
    unknown: count('unknown'),
    unsettled: count('unsettled'),
    // Money that appeared or vanished is a lost half of a transfer.
    lost: of('done').filter(({ id }) => !found.has(id)).length + Math.abs(total - accounts * startBalance),
    wronglyNotDone: of('not-done').filter(({ id }) => found.has(id)).length,
    twice: writes.filter(({ id }) => (found.get(id) ?? 0) > 1).length,
  }
}

function worst(verdicts: readonly Verdict[]): Verdict {
  const [first] = verdicts
  if (first === undefined) throw new Error('no node was read')
  const most = (name: 'lost' | 'wronglyNotDone' | 'twice'): number =>
    Math.max(...verdicts.map((verdict) => verdict[name]))
  return { ...first, lost: most('lost'), wronglyNotDone: most('wronglyNotDone'), twice: most('twice') }
}

// Connections that ended without the farewell of the protocol, as the servers count them.
async function abortedClients(endpoints: readonly string[]): Promise<number> {
  const counts = await Promise.all(endpoints.map((endpoint) => abortedAt(endpoint).catch(() => 0)))
  return counts.reduce((sum, count) => sum + count, 0)
}

async function abortedAt(endpoint: string): Promise<number> {
  const connection = await connect(endpoint)
  const [row] = await connection.query("SHOW GLOBAL STATUS LIKE 'Aborted_clients'")
  // With the farewell: this connection must not be counted itself.
  await connection.end()
  return Number(row.Value)
}

function mariadbCalls(mariadb: Mariadb): readonly PublicCall[] {
  const limits = { timeoutMs: 3_000 }
  const within = (run: (transaction: never) => unknown) => async (transaction: unknown) => {
    await run(transaction as never)
  }
  return [
    {
      name: 'query',
      args: ['SELECT ? AS a', [1], limits],
      call: (sql, args, more) => mariadb.query(sql as never, args as never, more as never),
    },
    {
      name: 'execute',
      args: ['SELECT ? AS a', [1], limits],
      call: (sql, args, more) => mariadb.execute(sql as never, args as never, more as never),
    },
    {
      name: 'query argument',
      args: [1],
      call: (value) => mariadb.query('SELECT ? AS a', [value] as never, limits),
    },
    {
      name: 'execute argument',
      args: [1],
      call: (value) => mariadb.execute('SELECT ? AS a', [value] as never, limits),
    },
    {
      name: 'batch',
      args: ['UPDATE accounts_0_chaos SET balance = balance + ? WHERE id = ?', [[0, 1]], limits],
      call: (sql, rows, more) => mariadb.batch(sql as never, rows as never, more as never),
    },
    {
      name: 'stream',
      args: ['SELECT ? AS a', [1], limits],
      call: async (sql, args, more) => {
        for await (const row of mariadb.stream(sql as never, args as never, more as never)) void row
      },
    },
    {
      name: 'transaction',
      args: [async () => 1, limits],
      call: (fn, more) => mariadb.transaction(fn as never, more as never),
    },
    {
      name: 'readOnly',
      args: [async () => 1, limits],
      call: (fn, more) => mariadb.readOnly(fn as never, more as never),
    },
    {
      name: 'session',
      args: [async () => 1, limits],
      call: (fn, more) => mariadb.session(fn as never, more as never),
    },
    {
      name: 'transaction.query',
      args: ['SELECT ? AS a', [1]],
      call: (sql, args) =>
        mariadb.transaction(
          within((transaction: { query(sql: unknown, args: unknown): unknown }) =>
            transaction.query(sql, args),
          ),
          limits,
        ),
    },
    {
      name: 'resolve',
      args: ['no-token', limits],
      call: (token, more) => mariadb.resolve(token as never, more as never),
    },
    { name: 'ready', args: [limits], call: (more) => mariadb.ready(more as never) },
  ]
}
