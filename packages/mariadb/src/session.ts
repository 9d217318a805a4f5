import { run } from '@ha/core'
import { linkedController, raceAbort } from '@ha/core/driver'
import type { ClientContext } from './context.ts'
import type { MariadbConnection } from './driver/connection.ts'
import { classify } from './driver/error-classification.ts'
import { type Result, resultOf } from './driver/results.ts'
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
import { OperationRunner } from './statement/operation-runner.ts'
import { outcomesByStage } from './statement/statements.ts'

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
    this.endpoint = connection.address
    this.threadId = connection.threadId
  }

  /** Runs a statement in the text protocol. */
  async query<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.#run({ kind: 'text', sql, args }))
  }

  /** Runs a prepared statement. */
  async execute<T = Row>(sql: string, args?: Args): Promise<Result<T>> {
    return resultOf(await this.#run({ kind: 'prepared', sql, args }))
  }

  /** Runs one statement for many rows. */
  async batch(sql: string, rows: readonly Args[]): Promise<Result> {
    return resultOf(await this.#run({ kind: 'batch', sql, args: rows }))
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
      if (this.signal.aborted) throw abortError(this.signal.reason, 'a statement of the session', 'unknown')
      throw statementError(
        error,
        'a statement of the session',
        this.endpoint,
        this.#outcomes(statement, error),
      )
    }
  }

  // In a transaction of the callback's own nothing is done before its COMMIT.
  #outcomes(statement: Statement, error: unknown): StageOutcomes {
    const open = this.#connection.inTransaction && !/^\s*COMMIT\b/i.test(statement.sql)
    return open ? notDoneAtAnyStage : outcomesByStage(statement, error)
  }
}

type CallbackResult<R> =
  | { readonly kind: 'returned'; readonly value: R }
  | { readonly kind: 'threw'; readonly error: unknown }

/** Lends one session to a callback. The callback runs once: what it did before its session was lost is its own. */
export async function runInSession<R>(
  context: ClientContext,
  call: ResolvedCall,
  fn: (session: Session) => Promise<R>,
): Promise<R> {
  const { currentLease, readYourWrites } = context
  const runner = new OperationRunner(context, {
    target: call.route,
    timeoutMs: call.timeoutMs,
    classify,
    tracksLease: true,
  })
  const operation = { name: 'session', timeoutMs: call.timeoutMs, signal: call.signal, repeatable: false }
  const ended = await run(runner, operation, (connection, until) => {
    const ends = until()
    const scope = linkedController(ends)
    // Once its time is up, the connection is not ours, and cannot be asked what the callback wrote.
    const timeIsUp = (): void => readYourWrites.noteUnconfirmedWrite(connection)
    ends.addEventListener('abort', timeIsUp, { once: true })
    const over = `the session on ${connection.address} is over`
    return currentLease.run(runner.lease, async (): Promise<CallbackResult<R>> => {
      try {
        return await settle(fn, new Session(connection, scope.signal))
      } finally {
        ends.removeEventListener('abort', timeIsUp)
        // What the callback wrote is to be seen by the reads behind it.
        if (!ends.aborted) await readYourWrites.noteWrite(connection)
        scope.abort(new MariadbError('transaction-over', over))
      }
    })
  }).catch((error: unknown) => {
    throw toMariadbError(error)
  })
  if (ended.kind === 'returned') return ended.value
  const { error } = ended
  if (error instanceof MariadbError && error.outcome === 'unknown')
    context.outcomes.reportUnknownOutcome('session', error)
  throw error
}

async function settle<R>(fn: (session: Session) => Promise<R>, session: Session): Promise<CallbackResult<R>> {
  try {
    return { kind: 'returned', value: await fn(session) }
  } catch (error) {
    return { kind: 'threw', error }
  }
}
