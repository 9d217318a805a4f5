import { type Backoff, Budget, run, type Verdict } from '@ha/core'
import { raceAbort } from '@ha/core/driver'
import type { CommitLog } from '../commit-log.ts'
import type { ClientContext } from '../context.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import type { Statement } from '../driver/statement.ts'
import { MariadbError, type MariadbErrorDetails, toMariadbError, withDetails } from '../errors.ts'
import type { ResolvedCall } from '../options/call-options.ts'
import type { Isolation } from '../options/resolved-options.ts'
import { isolationInSql } from '../options/session-options.ts'
import { classifyRead, ensureConsistency, readTarget } from '../read-your-writes.ts'
import { OperationRunner } from '../statement/operation-runner.ts'
import { type AttemptResult, TransactionAttempt } from './attempt.ts'
import { commitVerdict, type Transaction } from './transaction.ts'

/** One transaction, with resolved options. */
interface TransactionRequest<R> {
  readonly name: string
  readonly fn: (transaction: Transaction) => Promise<R>
  readonly call: ResolvedCall
  readonly isolation?: Isolation | undefined
  readonly readOnly: boolean
  /** The caller's token; undefined generates one for each attempt. */
  readonly token?: string | undefined
}

interface TransactionRunnerDeps {
  readonly context: ClientContext
  readonly commitLog: CommitLog | undefined
  /** How often the callback may run again. */
  readonly maxRetries: number
  readonly backoff: Backoff
}

/**
 * Runs transactions. The whole callback is repeated when a conflict, or the loss of the server before COMMIT, rolled
 * the transaction back. A COMMIT without an answer is resolved with the commit log, if there is one.
 */
export class TransactionRunner {
  readonly #deps: TransactionRunnerDeps

  constructor(deps: TransactionRunnerDeps) {
    this.#deps = deps
  }

  async run<R>(request: TransactionRequest<R>): Promise<R> {
    const { clock } = this.#deps.context
    const untilMs = clock.now() + request.call.timeoutMs
    const execution = new TransactionExecution(this.#deps, request, untilMs)
    if (!request.readOnly) await this.#deps.commitLog?.prepare(request.call)
    for (;;) {
      const ended = await execution.run()
      switch (ended.kind) {
        case 'committed':
          this.#deps.commitLog?.purgeOccasionally()
          return ended.value
        case 'threw':
          throw ended.error
        case 'token-used':
          throw await execution.tokenUsedError()
        case 'fenced-off':
          execution.assertRepeatable(ended.error)
      }
    }
  }
}

type ExecutionResult<R> = AttemptResult<R> | { readonly kind: 'fenced-off'; readonly error: MariadbError }

/** One transaction with the state that its attempts share. */
class TransactionExecution<R> {
  readonly #deps: TransactionRunnerDeps
  readonly #request: TransactionRequest<R>
  readonly #untilMs: number
  readonly #budget: Budget
  readonly #begin: readonly Statement[]
  #attempt: TransactionAttempt<R> | undefined
  #attempts = 0

  constructor(deps: TransactionRunnerDeps, request: TransactionRequest<R>, untilMs: number) {
    this.#deps = deps
    this.#request = request
    this.#untilMs = untilMs
    this.#budget = new Budget({ burst: deps.maxRetries, refill: 0 })
    this.#begin = beginStatements(request)
  }

  /** Runs attempts until the result is known. Rejects when it stays unknown, or when nothing was done. */
  async run(): Promise<ExecutionResult<R>> {
    const { name, call, readOnly } = this.#request
    const runner = new OperationRunner(this.#deps.context, {
      target: readOnly ? readTarget(this.#deps.context.readYourWrites, call) : call.route,
      timeoutMs: call.timeoutMs,
      classify: (error) => this.#classify(error),
      budget: this.#budget,
      tracksLease: true,
      backoff: this.#deps.backoff,
    })
    const operation = {
      name,
      timeoutMs: Math.max(1, this.#untilMs - this.#deps.context.clock.now()),
      signal: call.signal,
      repeatable: readOnly,
      effectIfLost: () => this.#effectIfLost(),
    }
    try {
      return await run(runner, operation, (connection, until) =>
        this.#runAttempt(runner, connection, until()),
      )
    } catch (error) {
      return await this.#resolveFailure(toMariadbError(error, this.#attempt?.token))
    }
  }

  /** The error for a token that was in the commit log before this transaction began. */
  async tokenUsedError(): Promise<MariadbError> {
    const token = this.#request.token ?? ''
    const say = (said: string, details: MariadbErrorDetails): MariadbError =>
      new MariadbError('token-used', `${this.#request.name}: the token '${token}' was used before: ${said}`, {
        ...details,
        token,
      })
    try {
      const outcome = await this.#deps.commitLog?.resolve(token, this.#remainingCall())
      return outcome === 'committed'
        ? say('the transaction was committed', { outcome: 'done' })
        : say('the transaction was rolled back', { outcome: 'not-done' })
    } catch (cause) {
      return say('its outcome cannot be determined now', {
        outcome: 'unknown',
        retryable: true,
        cause,
      })
    }
  }

  /** Throws when the callback must not be repeated: the fence has used up the caller's token. */
  assertRepeatable(cause: MariadbError): void {
    const { name, token } = this.#request
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

  async #runAttempt(
    runner: OperationRunner,
    connection: MariadbConnection,
    signal: AbortSignal,
  ): Promise<AttemptResult<R>> {
    if (this.#attempt?.result !== undefined) return this.#attempt.result
    // The callback of an abandoned attempt may still be running; two runs of it must not overlap.
    if (this.#attempt !== undefined) await raceAbort(this.#attempt.callbackSettled, signal, () => undefined)
    const { commitLog, context } = this.#deps
    const { readYourWrites, currentLease } = context
    const { readOnly, fn, call, token } = this.#request
    this.#attempts += 1
    if (readOnly) await ensureConsistency(readYourWrites, runner, connection, call)
    const table = readOnly ? undefined : commitLog?.table
    const plan = {
      fn: (transaction: Transaction) => currentLease.run(runner.lease, () => fn(transaction)),
      begin: this.#begin,
      readOnly,
      context,
      call,
      commitLog: table,
      markAfterBegin: token !== undefined,
    }
    this.#attempt = new TransactionAttempt(
      plan,
      this.#attempts,
      table === undefined ? undefined : (token ?? commitLog?.newToken()),
    )
    return this.#attempt.run(connection, signal)
  }

  #classify(error: unknown): Verdict {
    if (this.#attempt?.inDoubt === true) return commitVerdict(error)
    // A statement of the callback ended the transaction.
    if (error instanceof MariadbError)
      return { scope: 'call', effect: error.outcome === 'unknown' ? 'unknown' : 'none', transient: false }
    // Before COMMIT nothing has taken effect, whatever the error.
    return { ...classifyRead(error), effect: 'none' }
  }

  // A finished attempt is not repeated.
  #effectIfLost(): Verdict['effect'] {
    return this.#attempt?.inDoubt === true || this.#attempt?.result !== undefined ? 'unknown' : 'none'
  }

  async #resolveFailure(error: MariadbError): Promise<ExecutionResult<R>> {
    const attempt = this.#attempt
    const { commitLog } = this.#deps
    // The attempt had a result; a later failure does not change it.
    if (attempt?.result !== undefined) return attempt.result
    const value = attempt?.value
    if (attempt === undefined || value === undefined || !attempt.inDoubt) {
      throw this.#describe(commitLog?.explain(error) ?? error)
    }
    if (error.outcome !== 'unknown') throw this.#describe(error)
    this.#deps.context.outcomes.reportUnknownOutcome(this.#request.name, error)
    if (commitLog === undefined || attempt.token === undefined) throw error
    const outcome = await commitLog
      .resolve(attempt.token, this.#remainingCall(), error.endpoint)
      .catch(() => undefined)
    if (outcome !== undefined) this.#deps.context.outcomes.reportResolvedOutcome(attempt.token, outcome)
    if (outcome === 'committed') {
      attempt.noteUnansweredCommit()
      return { kind: 'committed', value: value.of }
    }
    if (outcome === 'rolled-back') return { kind: 'fenced-off', error }
    throw error
  }

  #describe(error: MariadbError): MariadbError {
    if (error.code === 'lost' || (error.code === 'retry-budget-exhausted' && !isConflict(error)))
      return withDetails(error, { serverCode: rolledBack })
    if (error.code !== 'retry-budget-exhausted') return error
    const message = `${this.#request.name}: conflicts with other transactions ${this.#attempts} times: ${error.message}`
    const { attempts, cause, endpoint, errno } = error
    return new MariadbError('conflict', message, { attempts, cause, endpoint, errno, retryable: true })
  }

  #remainingCall(): ResolvedCall {
    return { ...this.#request.call, timeoutMs: Math.max(1, this.#untilMs - this.#deps.context.clock.now()) }
  }
}

// SQLSTATE: the server rolled the transaction back, and it may be retried.
const rolledBack = '25S03'

// Row changed since the snapshot, lock wait timeout, deadlock or failed certification.
const conflicts: readonly (number | undefined)[] = [1020, 1205, 1213]

function isConflict({ errno }: MariadbError): boolean {
  return conflicts.includes(errno)
}

/** The statements that open a transaction. */
function beginStatements(request: {
  readonly isolation?: Isolation | undefined
  readonly readOnly: boolean
}): readonly Statement[] {
  const { isolation, readOnly } = request
  // SET TRANSACTION applies to the next transaction only and leaves no state in the session.
  const level =
    isolation === undefined ? [] : [`SET TRANSACTION ISOLATION LEVEL ${isolationInSql(isolation)}`]
  const begin = readOnly ? 'START TRANSACTION READ ONLY' : 'START TRANSACTION'
  return [...level, begin].map((sql) => ({ kind: 'text', sql }))
}
