import { HaError, isHaError, run, type Verdict } from '@ha/core'
import { linkedController, raceAbort } from '@ha/core/driver'
import { statementOf } from './arguments.ts'
import type { ClientContext } from './context.ts'
import type { MariadbConnection } from './driver/connection.ts'
import { classify, DriverError } from './driver/error-classification.ts'
import type { Answer, Args, Row, Statement } from './driver/statement.ts'
import {
  abortError,
  MariadbError,
  notDoneAtAnyStage,
  type StageOutcomes,
  statementError,
  toMariadbError,
} from './errors.ts'
import { type ResolvedCall, resolveStatementCall } from './options/call-options.ts'
import { isReadOnly, mayCommit, verbOf } from './sql-text.ts'
import { OperationRunner } from './statement/operation-runner.ts'
import { StatementSequence, type Turn } from './statement/sequence.ts'
import { type ColumnListener, StatementCalls, type StatementOptions } from './statement/statement-calls.ts'
import { outcomesByStage } from './statement/statements.ts'

const statementName = 'a statement of the session'

interface SessionDeps {
  readonly connection: MariadbConnection
  readonly signal: AbortSignal
  readonly context: Pick<ClientContext, 'clock' | 'killer'>
  /** The options of the session. */
  readonly call: ResolvedCall
}

/**
 * One server session, held during a callback. Statements run one at a time. Nothing is repeated; a lost session is not
 * replaced.
 */
export class Session extends StatementCalls {
  /** The server of the session, as `host:port`. */
  readonly endpoint: string
  /** The connection id on the server, as `KILL` takes it. */
  readonly threadId: number
  /** Fires when the session ends. */
  readonly signal: AbortSignal
  readonly #connection: MariadbConnection
  readonly #call: ResolvedCall
  readonly #sequence: StatementSequence
  #mayHaveWritten = false
  #ended: EndedTransaction | undefined

  constructor({ connection, signal, context, call }: SessionDeps) {
    super()
    this.#connection = connection
    this.#call = call
    this.#sequence = new StatementSequence({ connection, signal, ...context })
    this.signal = signal
    this.endpoint = connection.address
    this.threadId = connection.threadId
  }

  /** @internal Whether a statement was sent whose effect outlives the session. */
  get mayHaveWritten(): boolean {
    return this.#mayHaveWritten
  }

  /** @internal Whether the connection takes another statement. */
  get usable(): boolean {
    return !this.#sequence.streaming && !this.#connection.retired
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
    this.#assertUsable()
    const exchange = (turn: Turn, send: () => Promise<unknown>): Promise<unknown> =>
      this.#exchange(statement, turn, send)
    const explain = (error: Error): MariadbError =>
      statementError(error, statementName, this.endpoint, outcomesByStage(statement, error))
    yield* this.#sequence.stream({ statement, limits, exchange, found, explain })
  }

  /** @internal */
  protected override async runStatement(
    name: string,
    statement: Statement,
    options: StatementOptions | undefined,
  ): Promise<Answer> {
    const { limits, rowsAsArray } = resolveStatementCall(name, options, this.#call)
    this.#assertUsable()
    const asked = rowsAsArray ? { ...statement, rowsAsArray } : statement
    try {
      return await this.#sequence.run(limits, (turn) => this.#exchange(asked, turn, () => turn.send(asked)))
    } catch (error) {
      // Its time was up before it was sent.
      throw error instanceof MariadbError ? error : abortError(error, statementName, 'not-done')
    }
  }

  async #exchange<T>(statement: Statement, turn: Turn, send: () => Promise<T>): Promise<T> {
    const { inTransaction } = this.#connection
    this.#assertUsable()
    this.#assertTransaction(statement.sql)
    this.#mayHaveWritten ||= outlivesSession(statement.sql, inTransaction)
    try {
      const answer = await send()
      this.#noteAnswer(statement.sql, inTransaction)
      return answer
    } catch (thrown) {
      const outcomes = this.#outcomes(statement, thrown, inTransaction)
      // The statement was sent; its time was up before its answer.
      if (turn.signal.aborted) throw abortError(turn.signal.reason, statementName, outcomes.lost)
      await this.#noteError(statement.sql, thrown, inTransaction)
      throw statementError(thrown, statementName, this.endpoint, outcomes)
    }
  }

  // After a COMMIT that the caller did not ask for, each following statement would be committed by itself.
  #noteAnswer(sql: string, wasOpen: boolean): void {
    // COMMIT is sent only where everything is committed already.
    if (restartsTransaction.test(sql) || commitStatement.test(sql)) this.#ended = undefined
    if (!wasOpen || this.#connection.inTransaction || controlsTransaction.test(sql)) return
    if (!this.#connection.autocommit && locksTables.test(sql)) return
    this.#ended = { by: verbOf(sql), how: 'committed' }
  }

  // An error carries no status: the answer to a ping does.
  async #noteError(sql: string, thrown: unknown, wasOpen: boolean): Promise<void> {
    if (!(thrown instanceof DriverError) || thrown.stage !== 'answered') return
    const { autocommit } = this.#connection
    if ((!wasOpen && autocommit) || commitStatement.test(sql)) return
    if (thrown.errno === deadlock) {
      this.#ended = { by: verbOf(sql), how: 'rolled back', cause: thrown }
      return
    }
    await raceAbort(this.#connection.ping(), this.signal, () => undefined).catch(() => undefined)
    if (!wasOpen || this.#connection.inTransaction) return
    this.#ended = { by: verbOf(sql), how: mayCommit(sql) ? 'committed' : 'rolled back', cause: thrown }
  }

  #assertTransaction(sql: string): void {
    const ended = this.#ended
    if (ended === undefined || restartsTransaction.test(sql)) return
    // Everything is committed already: a COMMIT asks for nothing more.
    if (ended.how === 'committed' && commitStatement.test(sql)) return
    const message =
      `${verbOf(sql)}: not sent: ${ended.by} ended the transaction of the session on ${this.endpoint}, and the server ` +
      `${ended.how === 'committed' ? 'committed' : 'rolled back'} what went before it; begin with ROLLBACK or BEGIN`
    throw new MariadbError('transaction-over', message, { endpoint: this.endpoint, cause: ended.cause })
  }

  #assertUsable(): void {
    if (!this.signal.aborted && !this.#connection.retired) return
    const message = this.signal.aborted
      ? `the session on ${this.endpoint} is over`
      : `the session on ${this.endpoint} is over: one of its statements was ended at the server`
    throw new MariadbError('transaction-over', message, {
      endpoint: this.endpoint,
      cause: this.signal.reason,
    })
  }

  // Inside a transaction that the callback opened, nothing takes effect before COMMIT.
  #outcomes(statement: Statement, error: unknown, wasOpen: boolean): StageOutcomes {
    return wasOpen && !mayCommit(statement.sql) ? notDoneAtAnyStage : outcomesByStage(statement, error)
  }
}

/** A transaction of the callback that ended without the callback's wish. */
interface EndedTransaction {
  readonly by: string
  readonly how: 'committed' | 'rolled back'
  readonly cause?: unknown
}

// ER_LOCK_DEADLOCK rolls back the whole transaction, also one that the statement itself began.
const deadlock = 1213
const commitStatement = /^\s*COMMIT\b/i
const locksTables = /^\s*(?:UN)?LOCK\b/i
// What begins a transaction anew, and what ends it by the wish of the caller.
const restartsTransaction =
  /^\s*(?:ROLLBACK(?!\s+(?:WORK\s+)?TO\b)|BEGIN(?!\s+NOT\b)|START\s+TRANSACTION|XA\s+(?!COMMIT|PREPARE))\b/i
const controlsTransaction =
  /^\s*(?:COMMIT|ROLLBACK|BEGIN(?!\s+NOT\b)|START\s+TRANSACTION|XA|SET\s+(?:SESSION\s+|LOCAL\s+|@@(?:SESSION\.|LOCAL\.)?)?AUTOCOMMIT)\b/i

// SET of the session, and what begins or undoes a transaction.
const endsWithSession =
  /^\s*(?:SET\s+(?!GLOBAL\b|@@GLOBAL\b|PASSWORD\b)|BEGIN\b|START\s+TRANSACTION\b|SAVEPOINT\b|ROLLBACK\b)/i
const dataChange = /^\s*(?:INSERT|UPDATE|DELETE|REPLACE)\b/i

// A change of data inside of a transaction ends with the session; DDL and COMMIT do not.
function outlivesSession(sql: string, inTransaction: boolean): boolean {
  if (isReadOnly(sql) || endsWithSession.test(sql)) return false
  return !(inTransaction && dataChange.test(sql))
}

type CallbackResult<R> =
  | { readonly kind: 'returned'; readonly value: R }
  | { readonly kind: 'threw'; readonly error: unknown }

/**
 * Runs a callback with one session. The callback runs once; the effects of statements before a loss of the session
 * stay.
 */
export async function runInSession<R>(
  context: ClientContext,
  call: ResolvedCall,
  fn: (session: Session) => Promise<R>,
): Promise<R> {
  const { currentLease, readYourWrites } = context
  let session: Session | undefined
  const runner = new OperationRunner(context, {
    target: call.route,
    timeoutMs: call.timeoutMs,
    classify,
    tracksLease: true,
    // The callback runs once; before it, another connection may be taken.
    budget: { spend: () => session === undefined, refill: () => undefined },
  })
  const effectIfLost = (): Verdict['effect'] => (session?.mayHaveWritten ? 'unknown' : 'none')
  const { timeoutMs, signal } = call
  const operation = { name: 'session', timeoutMs, signal, repeatable: false, effectIfLost }
  const ended = await run(runner, operation, (connection, until) => {
    const ends = until()
    const scope = linkedController(ends)
    // After the deadline the connection is no longer available to ask for the position of the callback's writes.
    const timeIsUp = (): void => readYourWrites.noteUnconfirmedWrite(connection)
    ends.addEventListener('abort', timeIsUp, { once: true })
    const over = `the session on ${connection.address} is over`
    return currentLease.run(runner.lease, async (): Promise<CallbackResult<R>> => {
      try {
        session = new Session({ connection, signal: scope.signal, context, call })
        return await settle(fn, session)
      } finally {
        ends.removeEventListener('abort', timeIsUp)
        // Later reads of this client must see what the callback wrote.
        if (session?.usable === false) timeIsUp()
        else if (!ends.aborted) await readYourWrites.noteWrite(connection)
        scope.abort(new MariadbError('transaction-over', over))
      }
    })
  }).catch((error: unknown) => {
    throw toMariadbError(session === undefined ? error : asLost(error))
  })
  if (ended.kind === 'returned') return ended.value
  const { error } = ended
  if (error instanceof MariadbError && error.outcome === 'unknown')
    context.outcomes.reportUnknownOutcome('session', error)
  throw error
}

// A session is not repeated: it was lost, and no budget was spent.
function asLost(error: unknown): unknown {
  if (!isHaError(error) || error.code !== 'retry-budget-exhausted') return error
  return new HaError('lost', error.message, { ...error, cause: error.cause })
}

async function settle<R>(fn: (session: Session) => Promise<R>, session: Session): Promise<CallbackResult<R>> {
  try {
    return { kind: 'returned', value: await fn(session) }
  } catch (error) {
    return { kind: 'threw', error }
  }
}
