import { detachStack, linkedController, raceAbort } from '@ha/core/driver'
import { type CommitLogTable, isDuplicate } from '../commit-log.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import { DriverError } from '../driver/error-classification.ts'
import type { Statement } from '../driver/statement.ts'
import { MariadbError } from '../errors.ts'
import type { ReadYourWrites } from '../read-your-writes.ts'
import { commitVerdict, Transaction } from './transaction.ts'

/** What every run of one transaction shares. */
export interface AttemptPlan<R> {
  readonly fn: (transaction: Transaction) => Promise<R>
  /** What opens the transaction, sent in one go. */
  readonly begin: readonly Statement[]
  readonly readOnly: boolean
  readonly readYourWrites: ReadYourWrites
  /** Undefined for a transaction that is not protected. */
  readonly commitLog: CommitLogTable | undefined
  /** Whether the mark waits until the transaction is known to be open: one round trip more. */
  readonly markAfterBegin: boolean
}

/** How a run ended when neither server nor network was in the way. */
export type AttemptResult<R> =
  | { readonly kind: 'committed'; readonly value: R }
  /** The callback threw an error of its own: rolled back. */
  | { readonly kind: 'threw'; readonly error: unknown }
  /** The token was in the ledger before: nothing was done. */
  | { readonly kind: 'token-used' }

/** One run of a transaction's callback, from BEGIN to the answer of COMMIT. */
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

  /** Whether COMMIT may have happened although its answer never came. */
  get inDoubt(): boolean {
    return this.#transaction?.committing === true && !this.#plan.readOnly
  }

  /** How it ended, once that is known: from then on nothing that fails changes it. */
  get result(): AttemptResult<R> | undefined {
    return this.#result
  }

  /** What the callback returned: the value of the transaction when its COMMIT turns out to have happened. */
  get value(): { readonly of: R } | undefined {
    return this.#value
  }

  /** Its COMMIT, whose answer was lost, turned out to have happened: reads from now on are to see it. */
  noteUnansweredCommit(): void {
    if (this.#connection !== undefined) this.#plan.readYourWrites.noteUnconfirmedWrite(this.#connection)
  }

  /** Settles when the callback does: two runs of it never overlap. */
  get callbackSettled(): Promise<unknown> {
    return this.#callback
  }

  /** Runs it all. Rejects with the error that ended the transaction, for the core to judge. */
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
    const transaction = new Transaction(connection, signal, this.#attempt, this.token)
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
    // Behind a BEGIN that failed, the mark would commit by itself: harmless under a token that nobody else knows.
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

  // A callback that throws before its first await rejects like any other.
  async #invokeCallback(transaction: Transaction): Promise<R> {
    return this.#plan.fn(transaction)
  }

  async #afterThrow(
    connection: MariadbConnection,
    transaction: Transaction,
    error: unknown,
  ): Promise<AttemptResult<R>> {
    // What the callback threw is then only the echo of what ended the transaction.
    if (transaction.failure !== undefined) throw transaction.failure
    transaction.signal.throwIfAborted()
    transaction.enter({ kind: 'over' })
    const ended = this.#finish({ kind: 'threw', error })
    await rollback(connection)
    return ended
  }

  async #commit(
    connection: MariadbConnection,
    transaction: Transaction,
    value: R,
  ): Promise<AttemptResult<R>> {
    transaction.enter({ kind: 'committing' })
    const committed = connection.run({ kind: 'text', sql: 'COMMIT' })
    const { readOnly, readYourWrites } = this.#plan
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

// An answer that does not come changes nothing: without a COMMIT the server rolls back by itself.
async function rollback(connection: MariadbConnection): Promise<void> {
  try {
    await connection.run({ kind: 'text', sql: 'ROLLBACK' })
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
  }
}

// The reason of the signal of every attempt that is over. One error serves all of them: to create one for each attempt
// would cost more than the rest of its end, and its stack would say nothing.
const attemptOver = detachStack(new MariadbError('transaction-over', 'the transaction is over'))
