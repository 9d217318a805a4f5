import { type Connection, type ConnectionConfig, createConnection } from 'mariadb'

/** Something that a client can see of a Galera cluster. */
export interface Scenario {
  readonly name: string
  readonly act: (stage: Stage) => Promise<unknown>
  /** What MariaDB 10.11.19 with Galera shows. */
  readonly expected: unknown
}

/** A cluster to act on. */
export interface StageOptions {
  readonly endpoints: readonly { readonly host: string; readonly port: number }[]
  /** Cuts a node off from the others; the returned function brings it back, ready. */
  readonly isolate: (node: number) => Promise<() => Promise<void>>
  /** Lets a node stand still; the returned function brings it back, ready. */
  readonly pause: (node: number) => Promise<() => Promise<void>>
}

/** Where a scenario plays: connections to the nodes of a cluster, and a table. */
export class Stage {
  readonly #options: StageOptions
  readonly #connections: Connection[] = []

  constructor(options: StageOptions) {
    this.#options = options
  }

  /** A connection to a node, by its number from 1. */
  async actor(node = 1, config: ConnectionConfig = {}): Promise<Actor> {
    const connection = await this.connect(node, config)
    this.#connections.push(connection)
    return new Actor(connection)
  }

  /** Tries to log in. */
  connect(node = 1, config: ConnectionConfig = {}): Promise<Connection> {
    const endpoint = this.#options.endpoints[node - 1]
    const account = { user: 'ha', password: 'ha', database: 'ha', connectTimeout: 5_000 }
    return createConnection({ ...endpoint, ...account, ...config })
  }

  /** Cuts a node off from the others until the returned function is called. */
  isolate(node: number): Promise<() => Promise<void>> {
    return this.#options.isolate(node)
  }

  /** Lets a node stand still until the returned function is called. */
  pause(node: number): Promise<() => Promise<void>> {
    return this.#options.pause(node)
  }

  async clear(): Promise<void> {
    for (const connection of this.#connections) connection.destroy()
    const broom = await this.connect()
    await broom.query('DROP TABLE IF EXISTS t')
    await broom.end()
  }
}

/** A client that says what it sees. */
export class Actor {
  readonly connection: Connection
  /** The errors that its connection has emitted. */
  readonly errors: string[] = []

  constructor(connection: Connection) {
    this.connection = connection
    connection.on('error', (error) => this.errors.push(told(error)))
  }

  /** What a statement brings: rows, counts, or the words of a refusal. */
  see(sql: string, values?: unknown): Promise<string> {
    return seen(this.connection.query(sql, values))
  }

  /** The same over a prepared statement. */
  seePrepared(sql: string, values?: unknown): Promise<string> {
    return seen(this.connection.execute(sql, values))
  }
}

/** What comes of something, in one line: `ok 1`, or types and rows, or the words of a refusal. */
export async function seen(result: Promise<unknown>): Promise<string> {
  try {
    const value = await result
    return Array.isArray(value) ? rowsIn(value) : okIn(value as Ok)
  } catch (error) {
    return told(error)
  }
}

interface Ok {
  readonly affectedRows: number
  readonly insertId: bigint
  readonly warningStatus: number
}

function okIn({ affectedRows, insertId, warningStatus }: Ok): string {
  const id = insertId === 0n ? '' : ` id ${insertId}`
  return `ok ${affectedRows}${id}${warningStatus === 0 ? '' : ` warnings ${warningStatus}`}`
}

function rowsIn(rows: readonly object[] & { readonly meta?: readonly { readonly type: string }[] }): string {
  const types = rows.meta?.map((column) => column.type).join(' ')
  const shown = rows.map((row) => Object.entries(row).map(([name, value]) => `${name}=${shownValue(value)}`))
  return [types, ...shown.map((values) => values.join(' '))].join(' | ')
}

function shownValue(value: unknown): string {
  if (Buffer.isBuffer(value)) return `<${value.toString('hex')}>`
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'bigint' ? `${value}n` : JSON.stringify(value)
}

/** Plays a scenario and says what was seen. */
export async function play(scenario: Scenario, options: StageOptions): Promise<unknown> {
  const stage = new Stage(options)
  try {
    return await scenario.act(stage)
  } finally {
    await stage.clear()
  }
}

function told(error: unknown): string {
  const { errno, sqlState, sqlMessage, code } = error as Readonly<Record<string, unknown>>
  return `${errno} ${sqlState}: ${sqlMessage ?? code}`
}
