import { formatEndpoint } from '@ha/core'
import { raceAbort } from '@ha/core/driver'
import type { MariadbConnection } from '../driver/connection.ts'
import type { Answer, Args, Row, Statement } from '../driver/statement.ts'
import { fromDriver, fromSignal, nothingYet, type Outcomes } from '../from-driver.ts'
import { MariadbError } from '../mariadb-error.ts'
import { batchStatement, preparedStatement, type Result, resultOf, textStatement } from '../result.ts'
import { outcomesOf } from '../statement/nature.ts'

/** One server session, held for the length of a callback: nothing is run again, and a lost session stays lost. */
export class Session {
  /** The server it is on, as `host:port`. */
  readonly endpoint: string
  /** The server's number of the session: what `KILL` takes. */
  readonly threadId: number
  /** Fires when the session is over. */
  readonly signal: AbortSignal
  readonly #connection: MariadbConnection

  constructor(connection: MariadbConnection, signal: AbortSignal) {
    this.#connection = connection
    this.signal = signal
    this.endpoint = formatEndpoint(connection.endpoint)
    this.threadId = connection.threadId
  }

  /** Runs a statement in the text protocol. */
  async query<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.#run(textStatement(sql, args)))
  }

  /** Runs a prepared statement. */
  async execute<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.#run(preparedStatement(sql, args)))
  }

  /** Runs one statement for many rows. */
  async batch(sql: string, rows: readonly Args[]): Promise<Result> {
    return resultOf(await this.#run(batchStatement(sql, rows)))
  }

  async #run(statement: Statement): Promise<Answer> {
    if (this.signal.aborted) {
      const message = `the session on ${this.endpoint} is over`
      throw new MariadbError('transaction-over', message, {
        endpoint: this.endpoint,
        cause: this.signal.reason,
      })
    }
    try {
      return await raceAbort(this.#connection.run(statement), this.signal, () => undefined)
    } catch (error) {
      // The statement was sent, and the session ended before its answer.
      if (this.signal.aborted) throw fromSignal(this.signal.reason, 'a statement of the session', 'unknown')
      throw fromDriver(error, 'a statement of the session', this.endpoint, this.#outcomes(statement, error))
    }
  }

  // In a transaction of the callback's own nothing is done before its COMMIT.
  #outcomes(statement: Statement, error: unknown): Outcomes {
    const open = this.#connection.inTransaction && !/^\s*COMMIT\b/i.test(statement.sql)
    return open ? nothingYet : outcomesOf(statement, error)
  }
}
