import type { Verdict } from '@ha/core'
import { asError, type Deferred, deferred, raceAbort } from '@ha/core/driver'
import { type Result, resultOf } from '../driver/codec.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { classify, DriverError } from '../driver/error-classification.ts'
import type { Answer, Args, Row, Statement } from '../driver/statement.ts'
import { abortError, MariadbError, notDoneAtAnyStage, statementError } from '../errors.ts'
import { isAtomic } from '../sql-text.ts'

/** The argument of a transaction's callback; valid for one attempt. */
export class Transaction {
  /** The number of this attempt, from 1. */
  readonly attempt: number
  /** The token of a protected transaction in the commit log; undefined for an unprotected one. */
  readonly token: string | undefined
  /** The server of the transaction, as `host:port`. */
  readonly endpoint: string
  /** Fires when this attempt ends, for any reason. Pass it to other work that the callback starts. */
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

  /**
   * Runs `fn` inside a savepoint. When it throws, its statements are rolled back, the transaction continues, and the
   * error is rethrown.
   */
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
   * @internal Waits for statements that the callback did not await. A COMMIT sent behind a statement that fails would
   * commit the remainder, which after a conflict is nothing.
   */
  async allAnswered(): Promise<void> {
    if (this.#pending === 0) return
    this.#allAnswered = deferred()
    await this.#allAnswered.promise
  }

  /** @internal The error after which the transaction cannot commit. */
  get failure(): Error | undefined {
    return this.#phase.kind === 'failed' ? this.#phase.error : undefined
  }

  /** @internal Whether COMMIT was sent and its answer is outstanding. */
  get committing(): boolean {
    return this.#phase.kind === 'committing'
  }

  /** @internal Enters a phase in which no more statements are accepted. */
  enter(phase: Phase & { kind: 'committing' | 'over' }): void {
    this.#phase = phase
  }

  // A failed CREATE has still committed the preceding statements, and its error does not say so.
  async #explainError(statement: Statement, error: Error): Promise<Error> {
    const plain = isAtomic(statement.sql) && !implicitCommitStatement.test(statement.sql)
    if (plain || endsTransaction(error) || this.signal.aborted) return error
    try {
      const asked = this.#connection.run({ kind: 'text', sql: 'SELECT @@in_transaction AS open' })
      const answer = await raceAbort(asked, this.signal, () => undefined)
      const open = answer.kind === 'rows' ? answer.rows[0]?.['open'] : undefined
      return Number(open) === 0 ? this.#implicitCommit(statement, error) : error
    } catch {
      // The first error is more specific.
      return error
    }
  }

  // After a CREATE, or the callback's own COMMIT, the preceding statements are committed and each following one would
  // be committed by itself.
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
        'the transaction has already failed',
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

// Statements with an implicit commit.
const implicitCommitStatement =
  /^\s*(?:ALTER|ANALYZE|CACHE|CHANGE|CHECK|CREATE|DROP|FLUSH|GRANT|INSTALL|LOCK|OPTIMIZE|RENAME|REPAIR|RESET|REVOKE|SET|START|TRUNCATE|UNINSTALL|UNLOCK)\b/i

/** The phase of a transaction. */
type Phase =
  /** Statements are accepted. */
  | { readonly kind: 'open' }
  /** The server has ended the transaction or the connection is lost: it cannot commit. */
  | { readonly kind: 'failed'; readonly error: Error }
  /** COMMIT was sent: only its answer, or the commit log, tells the outcome. */
  | { readonly kind: 'committing' }
  | { readonly kind: 'over' }

// Errors with which the server ends the whole transaction, or after which continuing makes no sense: conflicts (1213,
// 1020, and 1205, which rolls back only the statement when innodb_rollback_on_timeout is off), a node without quorum
// (1047), a killed query or session (1317, 1927), a server shutdown (1053), a writer that became read-only.
const fatalErrnos: ReadonlySet<number | undefined> = new Set([
  1020, 1047, 1053, 1205, 1213, 1290, 1317, 1836, 1927,
])

/** Whether the transaction cannot continue after this error of a statement. */
export function endsTransaction(error: unknown): boolean {
  if (!(error instanceof DriverError)) return true
  return error.stage === 'lost' || fatalErrnos.has(error.errno)
}

// Errors of COMMIT that prove that nothing was committed: a conflict at certification, or a server that takes no
// writes. Any other error, including 1047 and 1180, leaves the outcome open.
const notCommittedErrnos: ReadonlySet<number | undefined> = new Set([1020, 1213, 1290, 1836])

/** The verdict on a failed COMMIT: unless the error proves otherwise, it may have happened. */
export function commitVerdict(error: unknown): Verdict {
  const verdict = classify(error)
  const certain =
    error instanceof DriverError &&
    (error.stage === 'unsent' || (error.stage === 'answered' && notCommittedErrnos.has(error.errno)))
  return { ...verdict, effect: certain ? 'none' : 'unknown' }
}
