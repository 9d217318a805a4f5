import type { Verdict } from '@ha/core'
import { asError, type Deferred, deferred, raceAbort } from '@ha/core/driver'
import type { MariadbConnection } from '../driver/connection.ts'
import { classify, DriverError } from '../driver/error-classification.ts'
import { type Result, resultOf } from '../driver/results.ts'
import type { Answer, Args, Row, Statement } from '../driver/statement.ts'
import { abortError, MariadbError, notDoneAtAnyStage, statementError } from '../errors.ts'
import { isAtomic } from '../sql-text.ts'

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
  #pending = 0
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
    this.endpoint = connection.address
  }

  /** Runs a statement in the text protocol. */
  async query<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.run({ kind: 'text', sql, args }))
  }

  /** Runs a prepared statement. */
  async execute<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.run({ kind: 'prepared', sql, args }))
  }

  /** Runs one statement for many rows. */
  async batch(sql: string, rows: readonly Args[]): Promise<Result> {
    return resultOf(await this.run({ kind: 'batch', sql, args: rows }))
  }

  /** Runs `fn`; when it throws, what it did is undone, the rest of the transaction stands, and the error goes on. */
  async savepoint<R>(fn: () => Promise<R>): Promise<R> {
    this.#savepoints += 1
    const name = `ha_${this.#savepoints}`
    await this.run({ kind: 'text', sql: `SAVEPOINT ${name}` })
    try {
      const value = await fn()
      await this.run({ kind: 'text', sql: `RELEASE SAVEPOINT ${name}` })
      return value
    } catch (error) {
      if (this.#phase.kind === 'open') await this.run({ kind: 'text', sql: `ROLLBACK TO ${name}` })
      throw error
    }
  }

  /** @internal Runs a statement while the transaction is open. */
  async run(statement: Statement): Promise<Answer> {
    this.#assertOpen(statement)
    this.#pending += 1
    try {
      const answer = await raceAbort(this.#connection.run(statement), this.signal, () => undefined)
      this.#assertStillOpen(statement)
      return answer
    } catch (thrown) {
      const error = await this.#explainError(statement, asError(thrown))
      if (this.#phase.kind === 'open' && endsTransaction(error)) this.#phase = { kind: 'failed', error }
      if (this.signal.aborted)
        throw abortError(this.signal.reason, 'a statement of the transaction', 'not-done')
      throw statementError(error, 'a statement of the transaction', this.endpoint, notDoneAtAnyStage)
    } finally {
      this.#pending -= 1
      if (this.#pending === 0) this.#allAnswered?.resolve()
    }
  }

  /**
   * @internal Waits for the statements that the callback did not wait for. A COMMIT sent behind one that then fails
   * would commit what is left, which after a conflict is nothing.
   */
  async allAnswered(): Promise<void> {
    if (this.#pending === 0) return
    this.#allAnswered = deferred()
    await this.#allAnswered.promise
  }

  /** @internal Why nothing of it can be committed any more. */
  get failure(): Error | undefined {
    return this.#phase.kind === 'failed' ? this.#phase.error : undefined
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
  async #explainError(statement: Statement, error: Error): Promise<Error> {
    const plain = isAtomic(statement.sql) && !implicitCommitStatement.test(statement.sql)
    if (plain || endsTransaction(error) || this.signal.aborted) return error
    try {
      const asked = this.#connection.run({ kind: 'text', sql: 'SELECT @@in_transaction AS open' })
      const answer = await raceAbort(asked, this.signal, () => undefined)
      const open = answer.kind === 'rows' ? answer.rows[0]?.['open'] : undefined
      return Number(open) === 0 ? this.#implicitCommit(statement, error) : error
    } catch {
      // The error that came first says more.
      return error
    }
  }

  // A CREATE, or a COMMIT of the callback's own: what went before is committed, and what follows would be one by one.
  #assertStillOpen(statement: Statement): void {
    if (!this.#connection.inTransaction) throw this.#implicitCommit(statement)
  }

  #implicitCommit({ sql }: Statement, cause?: Error): MariadbError {
    const message = `${verbOf(sql)} ended the transaction on ${this.endpoint}: the server committed what went before it`
    return new MariadbError('transaction-over', message, {
      outcome: 'unknown',
      endpoint: this.endpoint,
      cause,
    })
  }

  #assertOpen({ sql }: Statement): void {
    if (this.#phase.kind === 'open' && !this.signal.aborted) return
    if (this.#phase.kind === 'failed') {
      throw statementError(
        this.#phase.error,
        'the transaction has failed already',
        this.endpoint,
        notDoneAtAnyStage,
      )
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
const implicitCommitStatement =
  /^\s*(?:ALTER|ANALYZE|CACHE|CHANGE|CHECK|CREATE|DROP|FLUSH|GRANT|INSTALL|LOCK|OPTIMIZE|RENAME|REPAIR|RESET|REVOKE|SET|START|TRUNCATE|UNINSTALL|UNLOCK)\b/i

/** Where a transaction is. */
type Phase =
  /** Statements are taken. */
  | { readonly kind: 'open' }
  /** The server has ended it, or the connection is gone: nothing of it will be committed. */
  | { readonly kind: 'failed'; readonly error: Error }
  /** COMMIT is on its way: from here on only its answer, or the ledger, says what happened. */
  | { readonly kind: 'committing' }
  | { readonly kind: 'over' }

// Errors with which the server ends the whole transaction, or after which going on with it makes no sense: conflicts
// (1213, 1020 and, with innodb_rollback_on_timeout off, 1205, which undoes one statement only), a node without quorum
// (1047), a killed query or session (1317, 1927), a server that stops (1053), a writer that became read-only.
const fatalErrnos: ReadonlySet<number | undefined> = new Set([
  1020, 1047, 1053, 1205, 1213, 1290, 1317, 1836, 1927,
])

/** Whether an error of a statement leaves nothing of its transaction to go on with. */
export function endsTransaction(error: unknown): boolean {
  if (!(error instanceof DriverError)) return true
  return error.stage === 'lost' || fatalErrnos.has(error.errno)
}

// What a server answers to COMMIT when it has certainly not committed: a conflict found at certification, or a
// server that takes no writes. Any other answer, 1047 and 1180 among them, leaves it open.
const notCommittedErrnos: ReadonlySet<number | undefined> = new Set([1020, 1213, 1290, 1836])

/** What a COMMIT that failed means: unless the server says otherwise, it may have happened. */
export function commitVerdict(error: unknown): Verdict {
  const verdict = classify(error)
  const certain =
    error instanceof DriverError &&
    (error.stage === 'unsent' || (error.stage === 'answered' && notCommittedErrnos.has(error.errno)))
  return { ...verdict, effect: certain ? 'none' : 'unknown' }
}
