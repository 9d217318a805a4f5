import { AsyncLocalStorage } from 'node:async_hooks'
import type { Verdict } from '@ha/core'
import { asError, type Deferred, deferred, raceAbort } from '@ha/core/driver'
import { batchOf, checkCallback, statementOf } from '../arguments.ts'
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
  readonly #root = new Scope(this, undefined)
  #savepoints = 0
  #unanswered = 0
  #last: Promise<void> | undefined
  #drained: Deferred<void> | undefined

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
    return resultOf(await this.run(statementOf('query', 'text', sql, args)))
  }

  /** Runs a prepared statement. */
  async execute<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.run(statementOf('execute', 'prepared', sql, args)))
  }

  /** Runs one statement for many rows. */
  async batch(sql: string, rows: readonly Args[]): Promise<Result> {
    return resultOf(await this.run(batchOf('batch', sql, rows)))
  }

  /**
   * Runs `fn` inside a savepoint. When it throws, its statements are rolled back, the transaction continues, and the
   * error is rethrown. Savepoints nest. Savepoints of one level that are started together run one after another, in
   * the order of the calls, and a statement outside of a running savepoint waits for its end: a rollback never undoes
   * the work of another callback. So a callback must not await a statement of the enclosing level.
   */
  async savepoint<R>(fn: (transaction: Transaction) => Promise<R>): Promise<R> {
    checkCallback('savepoint', fn)
    const outer = currentScope(this) ?? this.#root
    this.#assertOpen(outer, 'SAVEPOINT')
    this.#savepoints += 1
    const name = `ha_${this.#savepoints}`
    return this.#inTurn(outer, 'SAVEPOINT', async () => {
      await this.#allAnswered()
      await this.#runNow({ kind: 'text', sql: `SAVEPOINT ${name}` })
      return this.#runInSavepoint(name, new Scope(this, outer), fn)
    })
  }

  async #runInSavepoint<R>(
    name: string,
    scope: Scope,
    fn: (transaction: Transaction) => Promise<R>,
  ): Promise<R> {
    try {
      // An `async` function, so that a synchronous throw of the callback becomes a rejection.
      const value = await activeScope.run(scope, async () => fn(this))
      await scope.idle()
      scope.close()
      await this.#runNow({ kind: 'text', sql: `RELEASE SAVEPOINT ${name}` })
      return value
    } catch (error) {
      scope.close()
      await this.#rollBackTo(name, scope)
      throw error
    }
  }

  // When the rollback fails, the transaction must not commit what the savepoint did.
  async #rollBackTo(name: string, scope: Scope): Promise<void> {
    await this.#allAnswered()
    // The statements of the savepoint end with what encloses it.
    if (this.#phase.kind !== 'open' || this.signal.aborted || !scope.enclosed) return
    try {
      await this.#runNow({ kind: 'text', sql: `ROLLBACK TO ${name}` })
    } catch (error) {
      if (this.#phase.kind === 'open') this.#phase = { kind: 'failed', error: asError(error) }
    }
  }

  /** @internal Runs a statement while the transaction is open. */
  async run(statement: Statement): Promise<Answer> {
    const scope = currentScope(this) ?? this.#root
    this.#assertOpen(scope, verbOf(statement.sql))
    let answer: Promise<Answer> | undefined
    // The turn ends when the statement is sent; the connection keeps the order.
    const send = async (): Promise<void> => {
      answer = this.#runNow(statement)
      answer.catch(ignore)
    }
    scope.enter()
    try {
      if (scope.busy) await this.#inTurn(scope, verbOf(statement.sql), send)
      return await (answer ?? this.#runNow(statement))
    } finally {
      scope.leave()
    }
  }

  // Waits for the savepoints of this level that were started before, then runs `work`, then lets the next one begin.
  async #inTurn<R>(scope: Scope, what: string, work: () => Promise<R>): Promise<R> {
    const { previous, release } = scope.queue()
    scope.enter()
    try {
      if (previous !== undefined) {
        try {
          await raceAbort(previous, this.signal, () => undefined)
        } catch (reason) {
          throw abortError(reason, `${what} behind a savepoint`, 'not-done')
        }
        this.#assertOpen(scope, what)
      }
      return await work()
    } finally {
      release()
      scope.leave()
    }
  }

  // One statement at a time: a conflict rolls the transaction back at the server, which would commit by itself each
  // statement that was sent behind it.
  async #runNow(statement: Statement): Promise<Answer> {
    const previous = this.#last
    const answered = deferred<void>()
    this.#last = answered.promise
    this.#unanswered += 1
    try {
      if (previous !== undefined) {
        await previous
        this.#assertOpen(this.#root, verbOf(statement.sql))
      }
      return await this.#exchange(statement)
    } finally {
      answered.resolve()
      if (this.#last === answered.promise) this.#last = undefined
      this.#unanswered -= 1
      if (this.#unanswered === 0) this.#drained?.resolve()
    }
  }

  async #exchange(statement: Statement): Promise<Answer> {
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
    }
  }

  // A prepared statement may take two commands: what is sent behind it could overtake the second one.
  async #allAnswered(): Promise<void> {
    if (this.#unanswered === 0) return
    this.#drained = deferred()
    await this.#drained.promise
  }

  /**
   * @internal Waits for statements and savepoints that the callback did not await. A COMMIT sent behind a statement
   * that fails would commit the remainder, which after a conflict is nothing.
   */
  allAnswered(): Promise<void> {
    return this.#root.idle()
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
    // The transaction's own ROLLBACK was answered in the same turn.
    if (this.#phase.kind === 'over') this.#assertOpen(this.#root, verbOf(statement.sql))
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

  #assertOpen(scope: Scope, what: string): void {
    if (this.#phase.kind === 'open' && !this.signal.aborted) {
      if (scope.open) return
      throw new MariadbError('transaction-over', `${what}: its savepoint on ${this.endpoint} is over`, {
        endpoint: this.endpoint,
      })
    }
    if (this.#phase.kind === 'failed') {
      throw statementError(
        this.#phase.error,
        'the transaction has already failed',
        this.endpoint,
        notDoneAtAnyStage,
      )
    }
    const message = `${what}: the transaction on ${this.endpoint} is over`
    throw new MariadbError('transaction-over', message, {
      endpoint: this.endpoint,
      cause: this.signal.reason,
    })
  }
}

/**
 * One level of a transaction: the transaction itself, or a savepoint with what its callback runs. The level of a call
 * is found by its asynchronous context, because all levels share the connection.
 */
class Scope {
  readonly #owner: Transaction
  readonly #outer: Scope | undefined
  readonly #context: Scope | undefined = activeScope.getStore()
  #closed = false
  #pending = 0
  #idle: Deferred<void> | undefined
  #last: Promise<void> | undefined

  constructor(owner: Transaction, outer: Scope | undefined) {
    this.#owner = owner
    this.#outer = outer
  }

  /** The innermost level of `owner` in this context; transactions of several clients may enclose each other. */
  of(owner: Transaction): Scope | undefined {
    return this.#owner === owner ? this : this.#context?.of(owner)
  }

  /** Whether this level and all that enclose it take statements. */
  get open(): boolean {
    return !this.#closed && this.enclosed
  }

  /** Whether all levels that enclose this one take statements. */
  get enclosed(): boolean {
    return this.#outer?.open ?? true
  }

  close(): void {
    this.#closed = true
  }

  /** Whether a savepoint is running or waiting at this level. */
  get busy(): boolean {
    return this.#last !== undefined
  }

  /** Takes a place behind the savepoints and statements that wait at this level. */
  queue(): { readonly previous: Promise<void> | undefined; readonly release: () => void } {
    const previous = this.#last
    const over = deferred()
    const { promise } = over
    this.#last = promise
    const release = (): void => {
      if (this.#last === promise) this.#last = undefined
      over.resolve()
    }
    return { previous, release }
  }

  /** Counts work of this level. */
  enter(): void {
    this.#pending += 1
  }

  leave(): void {
    this.#pending -= 1
    if (this.#pending === 0) this.#idle?.resolve()
  }

  /** Waits for the work of this level. */
  async idle(): Promise<void> {
    if (this.#pending === 0) return
    this.#idle = deferred()
    await this.#idle.promise
  }
}

const activeScope = new AsyncLocalStorage<Scope>()

function currentScope(transaction: Transaction): Scope | undefined {
  return activeScope.getStore()?.of(transaction)
}

function ignore(): void {}

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
// (1047), a killed query or session (1317, 1927), a server shutdown (1053), a writer that became read-only, a server
// that asked for a file of this machine (45021).
const fatalErrnos: ReadonlySet<number | undefined> = new Set([
  1020, 1047, 1053, 1205, 1213, 1290, 1317, 1836, 1927, 45_021,
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
