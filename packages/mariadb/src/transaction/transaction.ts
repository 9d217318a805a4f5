import { AsyncLocalStorage } from 'node:async_hooks'
import type { Verdict } from '@ha/core'
import { asError, type Deferred, deferred, raceAbort } from '@ha/core/driver'
import { checkCallback, statementOf } from '../arguments.ts'
import type { ClientContext } from '../context.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { classify, DriverError } from '../driver/error-classification.ts'
import type { Answer, Args, Row, Statement } from '../driver/statement.ts'
import { abortError, MariadbError, notDoneAtAnyStage, statementError } from '../errors.ts'
import { type ResolvedCall, resolveStatementCall, type StatementLimits } from '../options/call-options.ts'
import { isAtomic, mayCommit, verbOf } from '../sql-text.ts'
import { StatementSequence, type Turn } from '../statement/sequence.ts'
import { type ColumnListener, StatementCalls, type StatementOptions } from '../statement/statement-calls.ts'

/** What one attempt of a transaction runs on. */
export interface TransactionDeps {
  readonly connection: MariadbConnection
  readonly signal: AbortSignal
  readonly attempt: number
  readonly token: string | undefined
  readonly context: Pick<ClientContext, 'clock' | 'killer'>
  /** The options of the transaction. */
  readonly call: ResolvedCall
}

/** The argument of a transaction's callback; valid for one attempt. */
export class Transaction extends StatementCalls {
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
  readonly #call: ResolvedCall
  readonly #sequence: StatementSequence
  readonly #root = new Scope(this, undefined)
  #savepoints = 0
  #mayHaveCommitted = false

  constructor({ connection, signal, attempt, token, context, call }: TransactionDeps) {
    super()
    this.#connection = connection
    this.#call = call
    this.#sequence = new StatementSequence({ connection, signal, ...context })
    this.signal = signal
    this.attempt = attempt
    this.token = token
    this.endpoint = connection.address
  }

  /** @internal */
  protected override async *streamStatement(
    sql: string,
    args: Args | undefined,
    options: StatementOptions | undefined,
    found: ColumnListener,
  ): AsyncGenerator<Row, void> {
    const { limits, rowsAsArray } = resolveStatementCall('stream', options, this.#call)
    const statement = { ...statementOf('stream', 'text', sql, args), rowsAsArray }
    const scope = currentScope(this) ?? this.#root
    this.#assertOpen(scope, verbOf(sql))
    if (scope.busy) await this.#inTurn(scope, verbOf(sql), async () => undefined)
    const exchange = (turn: Turn, send: () => Promise<unknown>): Promise<unknown> => {
      this.#assertOpen(scope, verbOf(sql))
      return this.#exchange(statement, turn, send)
    }
    const explain = (error: Error): MariadbError =>
      statementError(error, 'a statement of the transaction', this.endpoint, notDoneAtAnyStage)
    try {
      yield* this.#sequence.stream({ statement, limits, exchange, found, explain })
    } catch (error) {
      throw this.#ownError(error)
    }
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
      this.#leaveStreams('the savepoint')
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
    this.#leaveStreams('the savepoint')
    await this.#sequence.idle()
    // The statements of the savepoint end with what encloses it.
    if (this.#phase.kind !== 'open' || this.signal.aborted || !scope.enclosed) return
    try {
      await this.#runNow({ kind: 'text', sql: `ROLLBACK TO ${name}` })
    } catch (error) {
      if (this.#phase.kind === 'open') this.#phase = { kind: 'failed', error: asError(error) }
    }
  }

  /** @internal */
  protected override runStatement(
    name: string,
    statement: Statement,
    options: StatementOptions | undefined,
  ): Promise<Answer> {
    if (options === undefined) return this.run(statement)
    const { limits, rowsAsArray } = resolveStatementCall(name, options, this.#call)
    return this.run({ ...statement, rowsAsArray }, limits)
  }

  /** @internal Runs a statement while the transaction is open. */
  async run(statement: Statement, limits: StatementLimits = noLimits): Promise<Answer> {
    const scope = currentScope(this) ?? this.#root
    this.#assertOpen(scope, verbOf(statement.sql))
    let answer: Promise<Answer> | undefined
    // The turn ends when the statement is sent; the connection keeps the order.
    const send = async (): Promise<void> => {
      answer = this.#runNow(statement, limits)
      answer.catch(ignore)
    }
    scope.enter()
    try {
      if (scope.busy) await this.#inTurn(scope, verbOf(statement.sql), send)
      return await (answer ?? this.#runNow(statement, limits))
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

  async #runNow(statement: Statement, limits: StatementLimits = noLimits): Promise<Answer> {
    try {
      return await this.#sequence.run(limits, (turn) => {
        this.#assertOpen(this.#root, verbOf(statement.sql))
        return this.#exchange(statement, turn, () => turn.send(statement))
      })
    } catch (error) {
      throw this.#ownError(error)
    }
  }

  // A statement that was not sent, because its time was up while it waited, changes nothing.
  #ownError(error: unknown): unknown {
    if (error instanceof MariadbError) return error
    return abortError(error, 'a statement of the transaction', 'not-done')
  }

  async #exchange<T>(statement: Statement, turn: Turn, send: () => Promise<T>): Promise<T> {
    this.#mayHaveCommitted = mayCommit(statement.sql)
    try {
      const answer = await send()
      this.#mayHaveCommitted = false
      this.#assertStillOpen(statement)
      return answer
    } catch (thrown) {
      if (thrown instanceof DriverError && thrown.stage !== 'lost') this.#mayHaveCommitted = false
      const error = turn.signal.aborted
        ? this.#outOfTime(turn.signal.reason)
        : await this.#explainError(statement, asError(thrown))
      if (this.#phase.kind === 'open' && endsTransaction(error)) this.#phase = { kind: 'failed', error }
      throw statementError(error, 'a statement of the transaction', this.endpoint, notDoneAtAnyStage)
    }
  }

  // The server was told to end the statement, and rolls the transaction back with the connection.
  #outOfTime(reason: unknown): MariadbError {
    return abortError(
      reason,
      'a statement of the transaction',
      this.#mayHaveCommitted ? 'unknown' : 'not-done',
    )
  }

  #leaveStreams(what: string): void {
    this.#sequence.leaveStreams(() => {
      const message = `${what} ended before the last row of a stream`
      return new MariadbError('transaction-over', message, { endpoint: this.endpoint })
    })
  }

  /**
   * @internal Waits for statements and savepoints that the callback did not await. A COMMIT sent behind a statement
   * that fails would commit the remainder, which after a conflict is nothing.
   */
  async allAnswered(): Promise<void> {
    this.#leaveStreams('the callback')
    await this.#root.idle()
    await this.#sequence.idle()
  }

  /** @internal Whether the answer of a stream is outstanding: then the connection is of no further use. */
  get streaming(): boolean {
    return this.#sequence.streaming
  }

  /** @internal The error after which the transaction cannot commit. */
  get failure(): Error | undefined {
    return this.#phase.kind === 'failed' ? this.#phase.error : undefined
  }

  /**
   * @internal Whether the answer to COMMIT is outstanding, or to a statement that may have committed, such as a
   * procedure.
   */
  get inDoubt(): boolean {
    return this.#phase.kind === 'committing' || this.#mayHaveCommitted
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

const noLimits: StatementLimits = Object.freeze({})

function ignore(): void {}

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
