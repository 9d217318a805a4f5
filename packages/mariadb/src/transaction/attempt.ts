import { detachStack, linkedController, raceAbort } from '@ha/core/driver'
import { type CommitLogTable, isDuplicate } from '../commit-log.ts'
import type { ClientContext } from '../context.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { DriverError } from '../driver/error-classification.ts'
import type { Statement } from '../driver/statement.ts'
import { MariadbError } from '../errors.ts'
import type { ResolvedCall } from '../options/call-options.ts'
import { commitVerdict, Transaction } from './transaction.ts'

/** What all attempts of a transaction share. */
export interface AttemptPlan<R> {
  readonly fn: (transaction: Transaction) => Promise<R>
  /** The statements that open the transaction, sent together. */
  readonly begin: readonly Statement[]
  readonly readOnly: boolean
  readonly context: Pick<ClientContext, 'readYourWrites' | 'clock' | 'killer'>
  /** The options of the transaction. */
  readonly call: ResolvedCall
  /** Undefined for an unprotected transaction. */
  readonly commitLog: CommitLogTable | undefined
  /** Whether the mark is sent only after BEGIN was acknowledged, at the cost of one round trip. */
  readonly markAfterBegin: boolean
}

/** The result of an attempt that neither the server nor the network interrupted. */
export type AttemptResult<R> =
  | { readonly kind: 'committed'; readonly value: R }
  /** The callback threw; the transaction was rolled back. */
  | { readonly kind: 'threw'; readonly error: unknown }
  /** The token was in the commit log already; nothing was done. */
  | { readonly kind: 'token-used' }

/** One attempt of a transaction: from BEGIN to the answer to COMMIT. */
export class TransactionAttempt<R> {
  readonly #plan: AttemptPlan<R>
  readonly #attempt: number
  readonly token: string | undefined
  #transaction: Transaction | undefined
  #value: { readonly of: R } | undefined
  #result: AttemptResult<R> | undefined
  #callback: Promise<unknown> = Promise.resolve()
  #connection: MariadbConnection | undefined

  constructor(plan: AttemptPlan<R>, attempt: number, token: string | undefined) {
    this.#plan = plan
    this.#attempt = attempt
    this.token = token
  }

  /** Whether COMMIT, or a statement that may commit, was sent and its outcome is not known. */
  get inDoubt(): boolean {
    return this.#transaction?.inDoubt === true && !this.#plan.readOnly
  }

  /** The result, once it is known. Later failures do not change it. */
  get result(): AttemptResult<R> | undefined {
    return this.#result
  }

  /** The return value of the callback: the value of the transaction once its COMMIT is known to have happened. */
  get value(): { readonly of: R } | undefined {
    return this.#value
  }

  /** Records that the COMMIT whose answer was lost did happen, so that later reads see it. */
  noteUnansweredCommit(): void {
    if (this.#connection !== undefined)
      this.#plan.context.readYourWrites.noteUnconfirmedWrite(this.#connection)
  }

  /** Settles with the callback, so that two attempts never overlap. */
  get callbackSettled(): Promise<unknown> {
    return this.#callback
  }

  /** Runs the attempt. Rejects with the error that ended the transaction, for classification. */
  async run(connection: MariadbConnection, until: AbortSignal): Promise<AttemptResult<R>> {
    const scope = linkedController(until)
    this.#connection = connection
    try {
      return await this.#run(connection, scope.signal)
    } finally {
      scope.abort(attemptOver)
    }
  }

  async #run(connection: MariadbConnection, signal: AbortSignal): Promise<AttemptResult<R>> {
    const { context, call } = this.#plan
    const { token } = this
    const transaction = new Transaction({ connection, signal, attempt: this.#attempt, token, context, call })
    this.#transaction = transaction
    if ((await this.#begin(connection, signal)) === 'token-used') return this.#finish({ kind: 'token-used' })
    const running = this.#invokeCallback(transaction)
    this.#callback = running.catch(() => undefined)
    try {
      this.#value = { of: await running }
    } catch (error) {
      return await this.#afterThrow(connection, transaction, error)
    }
    await transaction.allAnswered()
    if (transaction.failure !== undefined) throw transaction.failure
    signal.throwIfAborted()
    return await this.#commit(connection, transaction, this.#value.of)
  }

  #finish(ended: AttemptResult<R>): AttemptResult<R> {
    this.#result = ended
    return ended
  }

  async #begin(connection: MariadbConnection, signal: AbortSignal): Promise<'begun' | 'token-used'> {
    const { begin, commitLog } = this.#plan
    const opened = begin.map((statement) => connection.run(statement))
    // After a failed BEGIN the mark would be committed by autocommit. That is harmless for a generated token, which
    // no one else uses.
    if (this.#plan.markAfterBegin) await raceAbort(Promise.all(opened), signal, () => undefined)
    const marked =
      commitLog === undefined || this.token === undefined
        ? undefined
        : connection.run(commitLog.write(this.token, 'marker'))
    const all = Promise.all([...opened, marked])
    try {
      await raceAbort(all, signal, () => undefined)
      return 'begun'
    } catch (error) {
      if (!isDuplicate(error)) throw error
      await rollback(connection)
      return 'token-used'
    }
  }

  // An `async` function, so that a synchronous throw of the callback becomes a rejection.
  async #invokeCallback(transaction: Transaction): Promise<R> {
    return this.#plan.fn(transaction)
  }

  async #afterThrow(
    connection: MariadbConnection,
    transaction: Transaction,
    error: unknown,
  ): Promise<AttemptResult<R>> {
    // The callback's error is then only a consequence of what ended the transaction.
    if (transaction.failure !== undefined) throw transaction.failure
    transaction.signal.throwIfAborted()
    transaction.enter({ kind: 'over' })
    const ended = this.#finish({ kind: 'threw', error })
    // The rows of an open stream would come before the answer: the connection is closed instead.
    if (!transaction.streaming) await rollback(connection)
    return ended
  }

  async #commit(
    connection: MariadbConnection,
    transaction: Transaction,
    value: R,
  ): Promise<AttemptResult<R>> {
    transaction.enter({ kind: 'committing' })
    const committed = connection.run({ kind: 'text', sql: 'COMMIT' })
    const { readOnly, context } = this.#plan
    const { readYourWrites } = context
    const tracked = !readOnly && readYourWrites.tracksWrites
    const noted = tracked ? readYourWrites.noteWrite(connection, committed) : undefined
    try {
      await committed
    } catch (error) {
      if (commitVerdict(error).effect === 'none') transaction.enter({ kind: 'over' })
      throw error
    }
    const ended = this.#finish({ kind: 'committed', value })
    transaction.enter({ kind: 'over' })
    await noted
    return ended
  }
}

// A lost answer changes nothing: without COMMIT the server rolls back.
async function rollback(connection: MariadbConnection): Promise<void> {
  try {
    await connection.run({ kind: 'text', sql: 'ROLLBACK' })
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
  }
}

// The abort reason of every finished attempt's signal. It is shared: creating one for each attempt costs more than
// the rest of the clean-up, and its stack trace has no value.
const attemptOver = detachStack(new MariadbError('transaction-over', 'the transaction is over'))
