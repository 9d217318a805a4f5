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

/** The ledger of protected transactions: draws tokens, resolves them, and keeps its table small. */
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

  /** A token that nobody has used. */
  newToken(): string {
    return randomUUID()
  }

  /**
   * What became of the transaction with this token; from then on that cannot change, for as long as rows are kept.
   * `origin` is the server that owes the answer, as `host:port`: its own session may still hold the row there, while
   * another node knows at once. Rejects with `unknown` when nobody can say.
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

  /** Sees to it that the table is there, where it may be made. Callers at the same time share one try. */
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
        // In Galera a CREATE holds up every node: it is looked for first, and needs no privilege then.
        await connection.run(this.table.probe)
      } catch (error) {
        if (!(error instanceof DriverError) || error.errno !== missingTable) throw error
        await connection.run(this.table.create)
      }
    })
    this.#created = true
  }

  /** Deletes rows that are too old, now and then, behind whoever calls it: nobody waits for it, and it never throws. */
  purgeOccasionally(): void {
    const { clock, random } = this.#context
    if (clock.now() < this.#purgeAtMs) return
    // At a random time, so that many processes do not all delete the same rows.
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

  // Twice is harmless for each of them: a second fence under one token is a duplicate and says the same.
  async #run<T>(
    {
      name,
      limits,
      origin,
    }: { readonly name: string; readonly limits: CallLimits; readonly origin?: string | undefined },
    work: (connection: MariadbConnection) => Promise<T>,
  ): Promise<T> {
    const { timeoutMs, signal } = limits
    // An outage that has used up the shared budget is what the ledger is for.
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

  /** An error that says how the missing table is made; any other as it is. */
  explain(error: MariadbError): MariadbError {
    if (error.errno !== missingTable) return error
    const message = `${error.message}; the commitLog is missing, create it with: ${this.table.create.sql}`
    const { outcome, cause, endpoint, errno, token } = error
    return new MariadbError('commit-log-missing', message, { outcome, cause, endpoint, errno, token })
  }
}

// By primary key: a range over the times would lock the gap in which new marks are written.
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

// Of a day that rows are kept, some hour passes between two deletions.
const purgesPerRetention = 24

const purgeTimeoutMs = 10_000

// With the pauses between them, more than a minute of trying: the deadline comes first.
const maxAttempts = 200

type CallLimits = Pick<ResolvedCall, 'timeoutMs' | 'signal'>

// ER_NO_SUCH_TABLE
const missingTable = 1146

/** What became of a transaction. */
export type TransactionOutcome = 'committed' | 'rolled-back'

/**
 * Decides the fate of the transaction with this token, on a server that takes writes. Its mark says committed. When
 * there is none, a fence is written in its place: from then on the transaction can never commit, wherever it still
 * hangs, because its mark would be a second row under the same key. May be repeated; 1205 and 1213 call for that.
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
  // The row that was in the way is not to be seen yet: whoever asks again sees it.
  if (first === undefined)
    throw new DriverError('the row of the commit log is not visible yet', conflictError)
  return outcomeOf(first)
}

/** Whether a statement failed because its key exists. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof DriverError && error.errno === 1062
}

// As if the server had asked to run it again: a conflict.
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

/** What stands in the ledger under a token: the mark of a committed transaction, or the fence that shuts one out. */
type CommitLogEntry = 'marker' | 'fence'

/** How many rows one deletion takes at the most: few, so that it is a small transaction for every node. */
const purgeBatchSize = 500

/** The statements of one ledger table. */
export class CommitLogTable {
  readonly #name: string

  /** `name` is `table` or `schema.table`. */
  constructor(name: string) {
    this.#name = name.split('.').map(quoteName).join('.')
  }

  /** Makes the table. */
  get create(): Statement {
    return text(
      `CREATE TABLE IF NOT EXISTS ${this.#name} (` +
        'token VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, ' +
        "kind ENUM('marker', 'fence') NOT NULL, " +
        'at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), KEY (at)) ENGINE=InnoDB',
    )
  }

  /** Writes a row; 1062 when the token is taken. */
  write(token: string, kind: CommitLogEntry): Statement {
    return text(`INSERT INTO ${this.#name} (token, kind) VALUES (?, ?)`, [token, kind])
  }

  /**
   * Reads the row of a token. Locks it, and so waits for a transaction that is still open on this server: at READ
   * UNCOMMITTED a plain SELECT would see a mark that may yet be undone.
   */
  lock(token: string): Statement {
    return text(`SELECT kind FROM ${this.#name} WHERE token = ? FOR UPDATE`, [token])
  }

  /** Fails with 1146 when the table is not there. */
  get probe(): Statement {
    return text(`SELECT 1 FROM ${this.#name} LIMIT 0`)
  }

  /** Tokens of rows that are older than `keepMs`, {@link purgeBatchSize} at the most. */
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
    throw new HaError('config-invalid', `commitLog.table: '${name}' is not the name of a table`)
  }
  return `\`${name}\``
}
