import { randomUUID } from 'node:crypto'
import { Budget, HaError, run } from '@ha/core'
import type { ClientContext } from './context.ts'
import type { MariadbConnection } from './driver/connection.ts'
import { classify, DriverError } from './driver/error-classification.ts'
import type { Statement } from './driver/statement.ts'
import { MariadbError, toMariadbError, withDetails } from './errors.ts'
import type { ResolvedCall } from './options/call-options.ts'
import type { CommitLogOptions } from './options/resolved-options.ts'
import { OperationRunner } from './statement/operation-runner.ts'

/** The commit log of protected transactions: creates tokens, resolves outcomes, and purges old rows. */
export class CommitLog {
  readonly table: CommitLogTable
  readonly #context: ClientContext
  readonly #options: CommitLogOptions
  #purgeAtMs: number
  #created = false
  #creating: Promise<void> | undefined

  constructor(context: ClientContext, options: CommitLogOptions) {
    this.table = new CommitLogTable(options.table)
    this.#context = context
    this.#options = options
    this.#purgeAtMs = context.clock.now() + (options.keepMs / purgesPerRetention) * context.random()
  }

  /** Creates a unique token. */
  newToken(): string {
    return randomUUID()
  }

  /**
   * Determines the outcome of the transaction with this token. The result is final for as long as rows are kept.
   * `origin` is the server whose answer was lost, as `host:port`: its session may still hold a lock on the row, while
   * another node can answer at once. Rejects with the outcome `unknown` when no server can tell.
   */
  async resolve(token: string, limits: CallLimits, origin?: string): Promise<TransactionOutcome> {
    try {
      return await this.#run({ name: `resolve ${token}`, limits, origin }, (connection) =>
        decideOutcome(connection, this.table, token),
      )
    } catch (thrown) {
      const cause = toMariadbError(thrown)
      throw withDetails(cause, { outcome: 'unknown', token, cause })
    }
  }

  /** Creates the table if that is allowed and necessary. Concurrent callers share one attempt. */
  prepare(limits: CallLimits): Promise<void> | undefined {
    if (this.#created || !this.#options.create) return undefined
    this.#creating ??= this.#create(limits).finally(() => {
      this.#creating = undefined
    })
    return this.#creating
  }

  async #create(limits: CallLimits): Promise<void> {
    await this.#run({ name: 'create the commit log', limits }, async (connection) => {
      try {
        // In Galera, CREATE TABLE blocks every node. The probe comes first; it also needs no CREATE privilege.
        await connection.run(this.table.probe)
      } catch (error) {
        if (!(error instanceof DriverError) || error.errno !== missingTable) throw error
        await connection.run(this.table.create)
      }
    })
    this.#created = true
  }

  /** Deletes expired rows from time to time, in the background. Never throws. */
  purgeOccasionally(): void {
    const { clock, random } = this.#context
    if (clock.now() < this.#purgeAtMs) return
    // Randomised, so that many processes do not delete the same rows at the same time.
    this.#purgeAtMs = clock.now() + (this.#options.keepMs / purgesPerRetention) * (0.5 + random())
    this.#purge().catch(() => undefined)
  }

  async #purge(): Promise<void> {
    const request = { name: 'purge the commit log', limits: { timeoutMs: purgeTimeoutMs, signal: undefined } }
    const { keepMs } = this.#options
    for (let full = true; full; ) {
      full =
        (await this.#run(request, (connection) => purgeOnce(connection, this.table, keepMs))) >=
        purgeBatchSize
    }
  }

  // Each of these operations is idempotent: a second fence with the same token is a duplicate with the same meaning.
  async #run<T>(
    {
      name,
      limits,
      origin,
    }: { readonly name: string; readonly limits: CallLimits; readonly origin?: string | undefined },
    work: (connection: MariadbConnection) => Promise<T>,
  ): Promise<T> {
    const { timeoutMs, signal } = limits
    // An operation on the commit log has its own retry budget: it is needed most after an outage has used up the
    // shared one.
    const budget = new Budget({ burst: maxAttempts, refill: 0 })
    const runner = new OperationRunner(this.#context, {
      target: 'primary',
      timeoutMs,
      classify,
      budget,
      allowOtherWriters: true,
    })
    if (origin !== undefined) runner.avoid(origin)
    try {
      return await run(runner, { name, timeoutMs, signal, repeatable: true }, work)
    } catch (error) {
      throw this.explain(toMariadbError(error))
    }
  }

  /** Adds the CREATE TABLE statement to the error for a missing table; returns any other error unchanged. */
  explain(error: MariadbError): MariadbError {
    if (error.errno !== missingTable) return error
    const message = `${error.message}; the commitLog does not exist; create it with: ${this.table.create.sql}`
    const { outcome, cause, endpoint, errno, token } = error
    return new MariadbError('commit-log-missing', message, { outcome, cause, endpoint, errno, token })
  }
}

// Deletes by primary key: a range over `at` would lock the gap into which new marks are inserted.
async function purgeOnce(
  connection: MariadbConnection,
  table: CommitLogTable,
  keepMs: number,
): Promise<number> {
  const answer = await connection.run(table.expired(keepMs))
  const tokens = answer.kind === 'rows' ? answer.rows.map((row) => row['token']) : []
  if (tokens.length > 0) await connection.run(table.remove(tokens))
  return tokens.length
}

// A retention of one day gives about one purge per hour.
const purgesPerRetention = 24

const purgeTimeoutMs = 10_000

// With the pauses between attempts, more than a minute; the deadline comes first.
const maxAttempts = 200

type CallLimits = Pick<ResolvedCall, 'timeoutMs' | 'signal'>

// ER_NO_SUCH_TABLE
const missingTable = 1146

/** The outcome of a transaction. */
export type TransactionOutcome = 'committed' | 'rolled-back'

/**
 * Determines the outcome of the transaction with this token, on a server that accepts writes. A mark means committed.
 * Without a mark, a fence is inserted under the token: the transaction can then never commit, because its mark would
 * violate the primary key. May be repeated; 1205 and 1213 require that.
 */
async function decideOutcome(
  connection: MariadbConnection,
  table: CommitLogTable,
  token: string,
): Promise<TransactionOutcome> {
  const known = await readEntry(connection, table, token)
  if (known !== undefined) return outcomeOf(known)
  try {
    await connection.run(table.write(token, 'fence'))
    return 'rolled-back'
  } catch (error) {
    if (!isDuplicate(error)) throw error
  }
  const first = await readEntry(connection, table, token)
  // The row that caused the duplicate-key error is not visible yet; a retry will see it.
  if (first === undefined)
    throw new DriverError('the row of the commit log is not visible yet', conflictError)
  return outcomeOf(first)
}

/** Whether a statement failed with a duplicate key. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof DriverError && error.errno === 1062
}

// Classified like a deadlock, so that the operation is repeated.
const conflictError = { stage: 'answered', errno: 1213, sqlState: '40001' } as const

async function readEntry(
  connection: MariadbConnection,
  table: CommitLogTable,
  token: string,
): Promise<CommitLogEntry | undefined> {
  const answer = await connection.run(table.lock(token))
  const kind = answer.kind === 'rows' ? answer.rows[0]?.['kind'] : undefined
  return kind === 'marker' || kind === 'fence' ? kind : undefined
}

function outcomeOf(kind: CommitLogEntry): TransactionOutcome {
  return kind === 'marker' ? 'committed' : 'rolled-back'
}

/** The content of a row: the mark of a committed transaction, or the fence that prevents its commit. */
type CommitLogEntry = 'marker' | 'fence'

/** Rows per DELETE: small transactions for every node. */
const purgeBatchSize = 500

/** The SQL statements of one commit log table. */
export class CommitLogTable {
  readonly #name: string

  /** `name` is `table` or `schema.table`. */
  constructor(name: string) {
    this.#name = name.split('.').map(quoteName).join('.')
  }

  /** The CREATE TABLE statement. */
  get create(): Statement {
    return text(
      `CREATE TABLE IF NOT EXISTS ${this.#name} (` +
        'token VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, ' +
        "kind ENUM('marker', 'fence') NOT NULL, " +
        'at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), KEY (at)) ENGINE=InnoDB',
    )
  }

  /** Inserts a row; fails with 1062 when the token exists. */
  write(token: string, kind: CommitLogEntry): Statement {
    return text(`INSERT INTO ${this.#name} (token, kind) VALUES (?, ?)`, [token, kind])
  }

  /**
   * Reads and locks the row of a token. The lock waits for a transaction that is still open on this server: at READ
   * UNCOMMITTED a plain SELECT would return a mark that may still be rolled back.
   */
  lock(token: string): Statement {
    return text(`SELECT kind FROM ${this.#name} WHERE token = ? FOR UPDATE`, [token])
  }

  /** Fails with 1146 when the table does not exist. */
  get probe(): Statement {
    return text(`SELECT 1 FROM ${this.#name} LIMIT 0`)
  }

  /** Selects the tokens of rows older than `keepMs`, at most {@link purgeBatchSize}. */
  expired(keepMs: number): Statement {
    const seconds = Math.ceil(keepMs / 1_000)
    return text(
      `SELECT token FROM ${this.#name} WHERE at < CURRENT_TIMESTAMP(3) - INTERVAL ${seconds} SECOND LIMIT ${purgeBatchSize}`,
    )
  }

  /** Deletes the rows of these tokens. */
  remove(tokens: readonly unknown[]): Statement {
    return text(`DELETE FROM ${this.#name} WHERE token IN (${tokens.map(() => '?').join(', ')})`, tokens)
  }
}

function text(sql: string, args?: readonly unknown[]): Statement {
  return { kind: 'text', sql, args }
}

function quoteName(name: string): string {
  if (name === '' || name.includes('`') || name.includes('\0')) {
    throw new HaError('config-invalid', `commitLog.table: '${name}' is not a valid table name`)
  }
  return `\`${name}\``
}
