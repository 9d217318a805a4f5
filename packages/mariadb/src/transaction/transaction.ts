import { formatEndpoint } from '@ha/core'
import { asError, type Deferred, deferred, raceAbort } from '@ha/core/driver'
import type { MariadbConnection } from '../driver/connection.ts'
import type { Answer, Args, Row, Statement } from '../driver/statement.ts'
import { fromDriver, fromSignal, nothingYet } from '../from-driver.ts'
import { MariadbError } from '../mariadb-error.ts'
import { batchStatement, preparedStatement, type Result, resultOf, textStatement } from '../result.ts'
import { commitsAtOnce } from '../statement/commits-at-once.ts'
import { endsTransaction, type Phase } from './phase.ts'

/** One run of a transaction's callback: what `transaction(fn)` gives to `fn`. Of no use after it. */
export class Transaction {
  /** Which run of the callback this is, from 1 on. */
  readonly attempt: number
  /** Under what a protected transaction stands in the ledger; undefined without one. */
  readonly token: string | undefined
  /** The server it runs on, as `host:port`. */
  readonly endpoint: string
  /** Fires when this run is over, for whichever reason: pass it to whatever the callback does besides. */
  readonly signal: AbortSignal
  readonly #connection: MariadbConnection
  #phase: Phase = { kind: 'open' }
  #savepoints = 0
  #underWay = 0
  #allAnswered: Deferred<void> | undefined

  constructor(
    connection: MariadbConnection,
    signal: AbortSignal,
    attempt: number,
    token: string | undefined,
  ) {
    this.#connection = connection
    this.signal = signal
    this.attempt = attempt
    this.token = token
    this.endpoint = formatEndpoint(connection.endpoint)
  }

  /** Runs a statement in the text protocol. */
  async query<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.run(textStatement(sql, args)))
  }

  /** Runs a prepared statement. */
  async execute<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.run(preparedStatement(sql, args)))
  }

  /** Runs one statement for many rows. */
  async batch(sql: string, rows: readonly Args[]): Promise<Result> {
    return resultOf(await this.run(batchStatement(sql, rows)))
  }

  /** Runs `fn`; when it throws, what it did is undone, the rest of the transaction stands, and the error goes on. */
  async savepoint<R>(fn: () => Promise<R>): Promise<R> {
    this.#savepoints += 1
    const name = `ha_${this.#savepoints}`
    await this.run(textStatement(`SAVEPOINT ${name}`, undefined))
    try {
      const value = await fn()
      await this.run(textStatement(`RELEASE SAVEPOINT ${name}`, undefined))
      return value
    } catch (error) {
      if (this.#phase.kind === 'open') await this.run(textStatement(`ROLLBACK TO ${name}`, undefined))
      throw error
    }
  }

  /** @internal Runs a statement while the transaction is open. */
  async run(statement: Statement): Promise<Answer> {
    this.#mustBeOpen(statement)
    this.#underWay += 1
    try {
      const answer = await raceAbort(this.#connection.run(statement), this.signal, () => undefined)
      this.#mustGoOn(statement)
      return answer
    } catch (thrown) {
      const error = await this.#afterError(statement, asError(thrown))
      if (this.#phase.kind === 'open' && endsTransaction(error)) this.#phase = { kind: 'doomed', error }
      if (this.signal.aborted)
        throw fromSignal(this.signal.reason, 'a statement of the transaction', 'not-done')
      throw fromDriver(error, 'a statement of the transaction', this.endpoint, nothingYet)
    } finally {
      this.#underWay -= 1
      if (this.#underWay === 0) this.#allAnswered?.resolve()
    }
  }

  /**
   * @internal Waits for the statements that the callback did not wait for. A COMMIT sent behind one that then fails
   * would commit what is left, which after a conflict is nothing.
   */
  async answered(): Promise<void> {
    if (this.#underWay === 0) return
    this.#allAnswered = deferred()
    await this.#allAnswered.promise
  }

  /** @internal Why nothing of it can be committed any more. */
  get doom(): Error | undefined {
    return this.#phase.kind === 'doomed' ? this.#phase.error : undefined
  }

  /** @internal Whether COMMIT was sent and its answer has not come. */
  get committing(): boolean {
    return this.#phase.kind === 'committing'
  }

  /** @internal From here on no statement is taken. */
  enter(phase: Phase & { kind: 'committing' | 'over' }): void {
    this.#phase = phase
  }

  // A CREATE that fails has committed what went before it all the same, and its error does not say so.
  async #afterError(statement: Statement, error: Error): Promise<Error> {
    const plain = commitsAtOnce(statement.sql) && !definesOrLocks.test(statement.sql)
    if (plain || endsTransaction(error) || this.signal.aborted) return error
    try {
      const asked = this.#connection.run({ kind: 'text', sql: 'SELECT @@in_transaction AS open' })
      const answer = await raceAbort(asked, this.signal, () => undefined)
      const open = answer.kind === 'rows' ? answer.rows[0]?.['open'] : undefined
      return Number(open) === 0 ? this.#ended(statement, error) : error
    } catch {
      // The error that came first says more.
      return error
    }
  }

  // A CREATE, or a COMMIT of the callback's own: what went before is committed, and what follows would be one by one.
  #mustGoOn(statement: Statement): void {
    if (!this.#connection.inTransaction) throw this.#ended(statement)
  }

  #ended({ sql }: Statement, cause?: Error): MariadbError {
    const message = `${verbOf(sql)} ended the transaction on ${this.endpoint}: the server committed what went before it`
    return new MariadbError('transaction-over', message, {
      outcome: 'unknown',
      endpoint: this.endpoint,
      cause,
    })
  }

  #mustBeOpen({ sql }: Statement): void {
    if (this.#phase.kind === 'open' && !this.signal.aborted) return
    if (this.#phase.kind === 'doomed') {
      throw fromDriver(this.#phase.error, 'the transaction has failed already', this.endpoint, nothingYet)
    }
    const message = `${verbOf(sql)}: the transaction on ${this.endpoint} is over`
    throw new MariadbError('transaction-over', message, {
      endpoint: this.endpoint,
      cause: this.signal.reason,
    })
  }
}

function verbOf(sql: string): string {
  return /^\s*(\w+)/.exec(sql)?.[1] ?? 'a statement'
}

// Statements that the server commits before, when they are none of INSERT and the like.
const definesOrLocks =
  /^\s*(?:ALTER|ANALYZE|CACHE|CHANGE|CHECK|CREATE|DROP|FLUSH|GRANT|INSTALL|LOCK|OPTIMIZE|RENAME|REPAIR|RESET|REVOKE|SET|START|TRUNCATE|UNINSTALL|UNLOCK)\b/i
