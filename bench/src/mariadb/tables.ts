import { type Mode, withConnection } from './cluster.ts'

/** The tables of one client; no other client writes to them. */
export interface Tables {
  /** One row for each insert. Its key is not unique: a row that was written twice is there twice. */
  readonly rows: string
  /** One row for each transfer. */
  readonly journal: string
  readonly accounts: string
}

/** An entry of the journal. */
export interface Transfer {
  readonly id: number
  readonly source: number
  readonly target: number
  readonly amount: number
}

/** Everything that one node holds. */
export interface Contents {
  /** `host:port`. */
  readonly node: string
  /** Keys, one for each copy. */
  readonly rows: readonly number[]
  readonly journal: readonly Transfer[]
  /** By account. */
  readonly balances: ReadonlyMap<number, number>
}

export const accounts = 50
export const startBalance = 1_000

/** The tables of a client in the experiment of this number. */
export function tablesOf(experiment: number, client: string): Tables {
  const suffix = `${experiment}_${client.replaceAll(/[^a-z0-9]/g, '')}`
  return { rows: `rows_${suffix}`, journal: `journal_${suffix}`, accounts: `accounts_${suffix}` }
}

/** All names of a client's tables. */
export function namesOf({ rows, journal, accounts: balances }: Tables): readonly string[] {
  return [rows, journal, balances]
}

export async function createTables(endpoint: string, tables: Tables): Promise<void> {
  const balances = Array.from({ length: accounts }, (_, id) => `(${id}, ${startBalance})`).join(', ')
  await withConnection(endpoint, async (connection) => {
    for (const sql of [
      `CREATE TABLE ${tables.rows} (n BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT NOT NULL, KEY (id))`,
      `CREATE TABLE ${tables.journal} (n BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT NOT NULL, source INT NOT NULL, target INT NOT NULL, amount INT NOT NULL)`,
      `CREATE TABLE ${tables.accounts} (id INT PRIMARY KEY, balance BIGINT NOT NULL)`,
      `INSERT INTO ${tables.accounts} VALUES ${balances}`,
    ]) {
      await connection.query(sql)
    }
  })
}

export async function dropTables(endpoint: string, names: readonly string[]): Promise<void> {
  await withConnection(endpoint, (connection) => connection.query(`DROP TABLE IF EXISTS ${names.join(', ')}`))
}

/** Reads the tables on every server, the first of which takes writes, when each has applied what was sent to it. */
export async function readEverywhere(
  endpoints: readonly string[],
  tables: Tables,
  mode: Mode,
): Promise<readonly Contents[]> {
  const [first = ''] = endpoints
  const wait = mode === 'replication' ? await untilReplicated(first) : 'SET SESSION wsrep_sync_wait = 1'
  const contents: Contents[] = []
  for (const endpoint of endpoints) {
    // A primary applies nothing: it would wait for itself.
    const isPrimary = mode === 'replication' && endpoint === first
    contents.push(await readTables(endpoint, tables, isPrimary ? 'DO 0' : wait))
  }
  return contents
}

async function untilReplicated(primary: string): Promise<string> {
  const [row] = await withConnection(primary, (connection) =>
    connection.query('SELECT @@gtid_binlog_pos AS gtid'),
  )
  return `SELECT MASTER_GTID_WAIT('${row.gtid}', 60)`
}

function readTables(node: string, tables: Tables, wait: string): Promise<Contents> {
  return withConnection(node, async (connection) => {
    await connection.query(wait)
    const rows: readonly { readonly id: number }[] = await connection.query(`SELECT id FROM ${tables.rows}`)
    const journal: readonly Transfer[] = await connection.query(
      `SELECT id, source, target, amount FROM ${tables.journal}`,
    )
    const balances: readonly { readonly id: number; readonly balance: number }[] = await connection.query(
      `SELECT id, balance FROM ${tables.accounts}`,
    )
    return {
      node,
      rows: rows.map(({ id }) => id),
      journal: journal.map(({ id, source, target, amount }) => ({ id, source, target, amount })),
      balances: new Map(balances.map(({ id, balance }) => [id, balance])),
    }
  })
}
