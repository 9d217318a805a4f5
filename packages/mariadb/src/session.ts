import { HaError, isHaError, run, type Verdict } from '@ha/core'
import { linkedController, raceAbort } from '@ha/core/driver'
import { batchOf, statementOf } from './arguments.ts'
import type { ClientContext } from './context.ts'
import { type Result, resultOf } from './driver/codec.ts'
import type { MariadbConnection } from './driver/connection.ts'
import { classify } from './driver/error-classification.ts'
import type { Answer, Args, Row, Statement } from './driver/statement.ts'
import {
  abortError,
  MariadbError,
  notDoneAtAnyStage,
  type StageOutcomes,
  statementError,
  toMariadbError,
} from './errors.ts'
import type { ResolvedCall } from './options/call-options.ts'
import { isReadOnly } from './sql-text.ts'
import { OperationRunner } from './statement/operation-runner.ts'
import { outcomesByStage } from './statement/statements.ts'

/** One server session, held during a callback. Nothing is repeated; a lost session is not replaced. */
export class Session {
  /** The server of the session, as `host:port`. */
  readonly endpoint: string
  /** The connection id on the server, as `KILL` takes it. */
  readonly threadId: number
  /** Fires when the session ends. */
  readonly signal: AbortSignal
  readonly #connection: MariadbConnection
  #mayHaveWritten = false

  constructor(connection: MariadbConnection, signal: AbortSignal) {
    this.#connection = connection
    this.signal = signal
    this.endpoint = connection.address
    this.threadId = connection.threadId
  }

  /** Whether a statement was sent whose effect outlives the session. */
  get mayHaveWritten(): boolean {
    return this.#mayHaveWritten
  }

  /** Runs a statement in the text protocol. */
  async query<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.#run(statementOf('query', 'text', sql, args)))
  }

  /** Runs a prepared statement. */
  async execute<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.#run(statementOf('execute', 'prepared', sql, args)))
  }

  /** Runs one statement for many rows. */
  async batch(sql: string, rows: readonly Args[]): Promise<Result> {
    return resultOf(await this.#run(batchOf('batch', sql, rows)))
  }

  async #run(statement: Statement): Promise<Answer> {
    if (this.signal.aborted) {
      const message = `the session on ${this.endpoint} is over`
      throw new MariadbError('transaction-over', message, {
        endpoint: this.endpoint,
        cause: this.signal.reason,
      })
    }
    this.#mayHaveWritten ||= outlivesSession(statement.sql, this.#connection.inTransaction)
    try {
      return await raceAbort(this.#connection.run(statement), this.signal, () => undefined)
    } catch (error) {
      // The statement was sent; the session ended before its answer.
      if (this.signal.aborted) throw abortError(this.signal.reason, 'a statement of the session', 'unknown')
      throw statementError(
        error,
        'a statement of the session',
        this.endpoint,
        this.#outcomes(statement, error),
      )
    }
  }

  // Inside a transaction that the callback opened, nothing takes effect before COMMIT.
  #outcomes(statement: Statement, error: unknown): StageOutcomes {
    const open = this.#connection.inTransaction && !/^\s*COMMIT\b/i.test(statement.sql)
    return open ? notDoneAtAnyStage : outcomesByStage(statement, error)
  }
}

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
        session = new Session(connection, scope.signal)
        return await settle(fn, session)
      } finally {
        ends.removeEventListener('abort', timeIsUp)
        // Later reads of this client must see what the callback wrote.
        if (!ends.aborted) await readYourWrites.noteWrite(connection)
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
