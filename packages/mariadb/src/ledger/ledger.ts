import { randomUUID } from 'node:crypto'
import { Budget, run } from '@ha/core'
import type { Call } from '../call-options.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { DriverError } from '../driver/driver-error.ts'
import { classify } from '../driver/verdicts.ts'
import { fromCore } from '../from-driver.ts'
import { MariadbError } from '../mariadb-error.ts'
import type { LedgerOptions } from '../options/resolved.ts'
import { type Ground, OperationRunner } from '../statement/runner.ts'
import { LedgerTable, purgedAtOnce } from './ledger-table.ts'
import { decideFate, type Fate } from './resolve.ts'

/** The ledger of protected transactions: draws tokens, resolves them, and keeps its table small. */
export class Ledger {
  readonly table: LedgerTable
  readonly #ground: Ground
  readonly #options: LedgerOptions
  #tidyAtMs: number
  #made = false
  #making: Promise<void> | undefined

  constructor(ground: Ground, options: LedgerOptions) {
    this.table = new LedgerTable(options.table)
    this.#ground = ground
    this.#options = options
    this.#tidyAtMs = ground.clock.now() + (options.keepMs / tidiesPerKeep) * ground.random()
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
  async resolve(token: string, limits: Limits, origin?: string): Promise<Fate> {
    try {
      return await this.#run({ name: `resolve ${token}`, limits, origin }, (connection) =>
        decideFate(connection, this.table, token),
      )
    } catch (thrown) {
      throw unknownFate(fromCore(thrown), token)
    }
  }

  /** Sees to it that the table is there, where it may be made. Callers at the same time share one try. */
  prepare(limits: Limits): Promise<void> | undefined {
    if (this.#made || !this.#options.create) return undefined
    this.#making ??= this.#make(limits).finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  async #make(limits: Limits): Promise<void> {
    await this.#run({ name: 'create the ledger', limits }, async (connection) => {
      try {
        // In Galera a CREATE holds up every node: it is looked for first, and needs no privilege then.
        await connection.run(this.table.find)
      } catch (error) {
        if (!(error instanceof DriverError) || error.errno !== missingTable) throw error
        await connection.run(this.table.create)
      }
    })
    this.#made = true
  }

  /** Deletes rows that are too old, now and then, behind whoever calls it: nobody waits for it, and it never throws. */
  tidyNowAndThen(): void {
    const { clock, random } = this.#ground
    if (clock.now() < this.#tidyAtMs) return
    // At a random time, so that many processes do not all delete the same rows.
    this.#tidyAtMs = clock.now() + (this.#options.keepMs / tidiesPerKeep) * (0.5 + random())
    this.#tidy().catch(() => undefined)
  }

  async #tidy(): Promise<void> {
    const order = { name: 'purge the ledger', limits: { timeoutMs: tidyTimeoutMs, signal: undefined } }
    const { keepMs } = this.#options
    for (let full = true; full; ) {
      full = (await this.#run(order, (connection) => purge(connection, this.table, keepMs))) >= purgedAtOnce
    }
  }

  // Twice is harmless for each of them: a second fence under one token is a duplicate and says the same.
  async #run<T>(
    {
      name,
      limits,
      origin,
    }: { readonly name: string; readonly limits: Limits; readonly origin?: string | undefined },
    work: (connection: MariadbConnection) => Promise<T>,
  ): Promise<T> {
    const { timeoutMs, signal } = limits
    // An outage that has used up the shared budget is what the ledger is for.
    const budget = new Budget({ burst: mostTries, refill: 0 })
    const runner = new OperationRunner(this.#ground, {
      asked: 'primary',
      timeoutMs,
      classify,
      budget,
      strays: true,
    })
    if (origin !== undefined) runner.avoid(origin)
    try {
      return await run(runner, { name, timeoutMs, signal, repeatable: true }, work)
    } catch (error) {
      throw this.explained(fromCore(error))
    }
  }

  /** An error that says how the missing table is made; any other as it is. */
  explained(error: MariadbError): MariadbError {
    if (error.errno !== missingTable) return error
    const message = `${error.message}; the ledger is missing, create it with: ${this.table.create.sql}`
    const { outcome, cause, endpoint, errno, token } = error
    return new MariadbError('ledger-missing', message, { outcome, cause, endpoint, errno, token })
  }
}

function unknownFate(cause: MariadbError, token: string): MariadbError {
  return new MariadbError(cause.code, cause.message, { ...cause, outcome: 'unknown', token, cause })
}

// By primary key: a range over the times would lock the gap in which new marks are written.
async function purge(connection: MariadbConnection, table: LedgerTable, keepMs: number): Promise<number> {
  const answer = await connection.run(table.old(keepMs))
  const tokens = answer.kind === 'rows' ? answer.rows.map((row) => row['token']) : []
  if (tokens.length > 0) await connection.run(table.remove(tokens))
  return tokens.length
}

// Of a day that rows are kept, some hour passes between two deletions.
const tidiesPerKeep = 24

const tidyTimeoutMs = 10_000

// With the pauses between them, more than a minute of trying: the deadline comes first.
const mostTries = 200

type Limits = Pick<Call, 'timeoutMs' | 'signal'>

// ER_NO_SUCH_TABLE
const missingTable = 1146
