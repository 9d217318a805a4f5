import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { formatEndpoint, run } from '@ha/core'
import { asError, type Deferred, deferred } from '@ha/core/driver'
import type { ClientContext } from '../context.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import type { PipelinedStatement, Row } from '../driver/statement.ts'
import { abortError, type MariadbError, statementError, toMariadbError } from '../errors.ts'
import type { ResolvedCall } from '../options/call-options.ts'
import { ensureConsistency, readTarget } from '../read-your-writes.ts'
import { OperationRunner } from './operation-runner.ts'
import { outcomesByStage, traitsOf } from './statements.ts'

/**
 * Streams the rows of a query at the pace of the consumer. Until the first row, the query is retried on another
 * server like any read; afterwards never, because another server would not continue at the same row.
 */
export async function* streamRows(
  context: ClientContext,
  statement: PipelinedStatement,
  call: ResolvedCall,
): AsyncGenerator<Row, void> {
  const streaming = new StreamOperation(context, statement, call)
  const whole = streaming.run()
  try {
    for await (const row of await streaming.opened) yield row as Row
  } catch (error) {
    throw streaming.toError(error)
  } finally {
    streaming.stop()
    await whole
  }
}

/** One stream: the operation that holds its connection from the acquire to the last row. */
class StreamOperation {
  readonly #context: ClientContext
  readonly #statement: PipelinedStatement
  readonly #call: ResolvedCall
  readonly #opened: Deferred<Readable> = deferred()
  #rows: Readable | undefined
  #endpoint = ''
  #signal: AbortSignal | undefined

  constructor(context: ClientContext, statement: PipelinedStatement, call: ResolvedCall) {
    this.#context = context
    this.#statement = statement
    this.#call = call
  }

  /**
   * Resolves with the stream at the first row or at the end of an empty result. Rejects when there will be no rows.
   */
  get opened(): Promise<Readable> {
    return this.#opened.promise
  }

  /** Holds a connection until the rows are consumed. Never rejects: the consumer of the stream receives the error. */
  async run(): Promise<void> {
    const { readOnly, repeatable, effectIfLost, classify } = traitsOf(this.#statement, this.#call)
    const target = readOnly ? readTarget(this.#context.readYourWrites, this.#call) : this.#call.route
    const { timeoutMs, signal } = this.#call
    const runner = new OperationRunner(this.#context, { target: target, timeoutMs, classify })
    const operation = { name: 'stream', timeoutMs, signal, repeatable, effectIfLost }
    try {
      await run(runner, operation, (connection, until) =>
        readOnly ? this.#read(runner, connection, until()) : this.#write(connection, until()),
      )
    } catch (error) {
      this.#opened.reject(error)
      this.#rows?.destroy(asError(error))
    }
  }

  /** Ends the stream before its last row. */
  stop(): void {
    this.#rows?.destroy()
  }

  toError(thrown: unknown): MariadbError {
    const error = this.#rows === undefined ? toMariadbError(thrown) : this.#interrupted(thrown)
    if (error.outcome === 'unknown') this.#context.outcomes.reportUnknownOutcome('stream', error)
    return error
  }

  async #read(runner: OperationRunner, connection: MariadbConnection, signal: AbortSignal): Promise<void> {
    await ensureConsistency(this.#context.readYourWrites, runner, connection, this.#call)
    await this.#flow(connection, signal)
  }

  async #write(connection: MariadbConnection, signal: AbortSignal): Promise<void> {
    const flowing = this.#flow(connection, signal)
    await Promise.all([flowing, this.#context.readYourWrites.noteWrite(connection, flowing)])
  }

  async #flow(connection: MariadbConnection, signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const rows = connection.stream(this.#statement)
    const leave = (): void => void rows.destroy(asError(signal.reason))
    signal.addEventListener('abort', leave, { once: true })
    // `readable` fires at the first row, and at the end of an empty result.
    await once(rows, 'readable')
    this.#rows = rows
    this.#endpoint = formatEndpoint(connection.endpoint)
    this.#opened.resolve(rows)
    await closed(rows)
    signal.removeEventListener('abort', leave)
  }

  // After the first row there is no retry; the outcome follows from the stage of the statement.
  #interrupted(thrown: unknown): MariadbError {
    const outcomes = outcomesByStage(this.#statement, thrown)
    if (this.#signal?.aborted) return abortError(this.#signal.reason, 'stream', outcomes.lost)
    return statementError(thrown, 'stream', this.#endpoint, outcomes)
  }
}

async function closed(rows: Readable): Promise<void> {
  if (rows.closed) return
  const closed = deferred()
  rows.once('close', closed.resolve)
  // The consumer receives the error. This listener prevents an unhandled `error` event when there is no consumer.
  rows.on('error', () => undefined)
  await closed.promise
}
