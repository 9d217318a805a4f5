import { Budget, run, type Verdict } from '@ha/core'
import { raceAbort } from '@ha/core/driver'
import type { Call } from '../call-options.ts'
import type { Causality } from '../consistency/causality.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import type { Statement } from '../driver/statement.ts'
import { fromCore } from '../from-driver.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { MariadbError, type MariadbErrorDetails } from '../mariadb-error.ts'
import type { Isolation, RetryOptions } from '../options/resolved.ts'
import { beforeReading, classifyRead, readerFor } from '../statement/reading.ts'
import { type Ground, OperationRunner } from '../statement/runner.ts'
import { beginStatements } from './begin.ts'
import type { Holding } from './holding.ts'
import { commitVerdict } from './phase.ts'
import type { Transaction } from './transaction.ts'
import { type Ended, Trial } from './trial.ts'

/** What one transaction needs to know, resolved. */
export interface Order<R> {
  readonly name: string
  readonly fn: (transaction: Transaction) => Promise<R>
  readonly call: Call
  readonly isolation: Isolation | undefined
  readonly readOnly: boolean
  /** Chosen by the caller; undefined draws one for each run. */
  readonly token: string | undefined
}

export interface TransactionParts {
  readonly ground: Ground
  readonly causality: Causality
  readonly ledger: Ledger | undefined
  readonly retry: RetryOptions
  readonly holding: Holding
}

/**
 * Runs transactions: the callback from BEGIN to COMMIT, and again as a whole when a conflict, or the loss of its
 * server before COMMIT, undid it. A COMMIT without an answer is asked of the ledger, when there is one.
 */
export class Transactions {
  readonly #parts: TransactionParts

  constructor(parts: TransactionParts) {
    this.#parts = parts
  }

  async run<R>(order: Order<R>): Promise<R> {
    const { clock } = this.#parts.ground
    const untilMs = clock.now() + order.call.timeoutMs
    const undertaking = new Undertaking(this.#parts, order, untilMs)
    if (!order.readOnly) await this.#parts.ledger?.prepare(order.call)
    for (;;) {
      const ended = await undertaking.tryUntilKnown()
      switch (ended.kind) {
        case 'committed':
          this.#parts.ledger?.tidyNowAndThen()
          return ended.value
        case 'threw':
          throw ended.error
        case 'token-used':
          throw await undertaking.tokenUsed()
        case 'fenced-off':
          undertaking.mayGoOn(ended.error)
      }
    }
  }
}

type Known<R> = Ended<R> | { readonly kind: 'fenced-off'; readonly error: MariadbError }

/** One transaction, with everything that its runs share. */
class Undertaking<R> {
  readonly #parts: TransactionParts
  readonly #order: Order<R>
  readonly #untilMs: number
  readonly #budget: Budget
  readonly #begin: readonly Statement[]
  #trial: Trial<R> | undefined
  #attempts = 0

  constructor(parts: TransactionParts, order: Order<R>, untilMs: number) {
    this.#parts = parts
    this.#order = order
    this.#untilMs = untilMs
    this.#budget = new Budget({ burst: parts.retry.attempts, refill: 0 })
    this.#begin = beginStatements(order)
  }

  /** Runs the callback until its end is known. Rejects when it is not, or when nothing was done. */
  async tryUntilKnown(): Promise<Known<R>> {
    const { name, call, readOnly } = this.#order
    const runner = new OperationRunner(this.#parts.ground, {
      asked: readOnly ? readerFor(this.#parts.causality, call) : call.route,
      timeoutMs: call.timeoutMs,
      classify: (error) => this.#classify(error),
      budget: this.#budget,
      remembers: true,
      backoff: this.#parts.retry,
    })
    const operation = {
      name,
      timeoutMs: Math.max(1, this.#untilMs - this.#parts.ground.clock.now()),
      signal: call.signal,
      repeatable: readOnly,
      effectIfLost: () => this.#effectIfLost(),
    }
    try {
      return await run(runner, operation, (connection, until) => this.#tryOnce(runner, connection, until()))
    } catch (error) {
      return await this.#judge(fromCore(error, { token: this.#trial?.token }))
    }
  }

  /** What is told of a token that was in the ledger before this transaction began. */
  async tokenUsed(): Promise<MariadbError> {
    const token = this.#order.token ?? ''
    const say = (said: string, details: MariadbErrorDetails): MariadbError =>
      new MariadbError('token-used', `${this.#order.name}: the token '${token}' is used: ${said}`, {
        ...details,
        token,
      })
    try {
      const fate = await this.#parts.ledger?.resolve(token, this.#remainingCall())
      return fate === 'committed'
        ? say('it was committed before', { outcome: 'done' })
        : say('it was fenced off before', { outcome: 'not-done' })
    } catch (cause) {
      return say('whether it was committed cannot be said now', {
        outcome: 'unknown',
        retryable: true,
        cause,
      })
    }
  }

  /** Throws when the callback may not be run again: a token of the caller's own is used up by its fence. */
  mayGoOn(cause: MariadbError): void {
    const { name, token } = this.#order
    if (token === undefined && this.#budget.spend()) return
    const message = `${name}: the answer of COMMIT was lost, and the transaction was rolled back`
    const { endpoint, attempts } = cause
    const details = {
      outcome: 'not-done',
      retryable: token === undefined,
      token,
      endpoint,
      attempts,
      cause,
    } as const
    throw new MariadbError('lost', message, { ...details, serverCode: rolledBack })
  }

  async #tryOnce(
    runner: OperationRunner,
    connection: MariadbConnection,
    signal: AbortSignal,
  ): Promise<Ended<R>> {
    if (this.#trial?.ended !== undefined) return this.#trial.ended
    // The callback of a run that was given up may still be at work: two runs of it never overlap.
    if (this.#trial !== undefined) await raceAbort(this.#trial.callbackOver, signal, () => undefined)
    const { ledger, causality, holding } = this.#parts
    const { readOnly, fn, call, token } = this.#order
    this.#attempts += 1
    if (readOnly) await beforeReading(causality, runner, connection, call)
    const table = readOnly ? undefined : ledger?.table
    const plan = {
      fn: (transaction: Transaction) => holding.during(runner.lease, () => fn(transaction)),
      begin: this.#begin,
      readOnly,
      causality,
      ledger: table,
      marksLater: token !== undefined,
    }
    this.#trial = new Trial(
      plan,
      this.#attempts,
      table === undefined ? undefined : (token ?? ledger?.newToken()),
    )
    return this.#trial.run(connection, signal)
  }

  #classify(error: unknown): Verdict {
    if (this.#trial?.inDoubt === true) return commitVerdict(error)
    // A statement of the callback's own ended the transaction.
    if (error instanceof MariadbError)
      return { scope: 'call', effect: error.outcome === 'unknown' ? 'unknown' : 'none', transient: false }
    // Before COMMIT nothing is done, whatever the server says.
    return { ...classifyRead(error), effect: 'none' }
  }

  // What has ended is not begun again.
  #effectIfLost(): Verdict['effect'] {
    return this.#trial?.inDoubt === true || this.#trial?.ended !== undefined ? 'unknown' : 'none'
  }

  async #judge(error: MariadbError): Promise<Known<R>> {
    const trial = this.#trial
    const { ledger } = this.#parts
    // It had ended, and something after that failed: that changes nothing.
    if (trial?.ended !== undefined) return trial.ended
    const value = trial?.value
    if (trial === undefined || value === undefined || !trial.inDoubt) {
      throw this.#inWords(ledger?.explained(error) ?? error)
    }
    if (error.outcome !== 'unknown') throw this.#inWords(error)
    this.#parts.ground.onUnknown(this.#order.name, error)
    if (ledger === undefined || trial.token === undefined) throw error
    const fate = await ledger
      .resolve(trial.token, this.#remainingCall(), error.endpoint)
      .catch(() => undefined)
    if (fate !== undefined) this.#parts.ground.onResolved(trial.token, fate)
    if (fate === 'committed') {
      trial.committedUnheard()
      return { kind: 'committed', value: value.of }
    }
    if (fate === 'rolled-back') return { kind: 'fenced-off', error }
    throw error
  }

  #inWords(error: MariadbError): MariadbError {
    if (error.code === 'lost' || (error.code === 'retry-budget-exhausted' && !isConflict(error)))
      return withState(error, rolledBack)
    if (error.code !== 'retry-budget-exhausted') return error
    const message = `${this.#order.name}: in conflict with others ${this.#attempts} times: ${error.message}`
    const { attempts, cause, endpoint, errno } = error
    return new MariadbError('conflict', message, { attempts, cause, endpoint, errno, retryable: true })
  }

  #remainingCall(): Call {
    return { ...this.#order.call, timeoutMs: Math.max(1, this.#untilMs - this.#parts.ground.clock.now()) }
  }
}

// SQLSTATE: the server undid the transaction, and it can be begun again.
const rolledBack = '25S03'

function withState(error: MariadbError, serverCode: string): MariadbError {
  return new MariadbError(error.code, error.message, { ...error, serverCode, cause: error.cause })
}

// The row changed since the snapshot, a lock was waited for in vain, a deadlock or a failed certification.
const conflicts: readonly (number | undefined)[] = [1020, 1205, 1213]

function isConflict({ errno }: MariadbError): boolean {
  return conflicts.includes(errno)
}
