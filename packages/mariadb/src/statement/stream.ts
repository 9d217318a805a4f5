import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { type Clock, formatEndpoint, HaError, type Operation, run } from '@ha/core'
import { asError, type Deferred, deferred, type LinkedController, linkedController } from '@ha/core/driver'
import type { ClientContext } from '../context.ts'
import { describeColumn } from '../driver/codec.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import type { Column, ColumnMeta, PipelinedStatement, Row } from '../driver/statement.ts'
import { abortError, type MariadbError, statementError, toMariadbError } from '../errors.ts'
import type { ResolvedCall } from '../options/call-options.ts'
import { ensureConsistency, readTarget } from '../read-your-writes.ts'
import { OperationRunner } from './operation-runner.ts'
import { outcomesByStage, traitsOf } from './statements.ts'

/** The rows of a query, one at a time. The columns are known from the first row on, or at the end of an empty result. */
export interface RowStream<T = Row> extends AsyncGenerator<T, void> {
  /** The names and types of the columns; empty before the first row. */
  readonly columns: readonly Column[]
  /** The columns as the `mariadb` driver describes them; empty before the first row. */
  readonly meta: readonly ColumnMeta[]
}

/** Makes a {@link RowStream} of a generator that calls `found` with the columns before its first row. */
export function rowStreamOf<T>(
  generate: (found: (meta: readonly ColumnMeta[]) => void) => AsyncGenerator<Row, void>,
): RowStream<T> {
  let meta: readonly ColumnMeta[] = []
  const rows = generate((columns) => {
    meta = columns
  })
  const properties = { meta: { get: () => meta }, columns: { get: () => meta.map(describeColumn) } }
  return Object.defineProperties(rows, properties) as unknown as RowStream<T>
}

/**
 * Streams the rows of a query at the pace of the consumer. Until the first row, the query is retried on another
 * server like any read; afterwards never, because another server would not continue at the same row. The time limit
 * applies to the wait for the first row, and again to each wait for more rows: a consumer may take its time.
 */
export async function* streamRows(
  context: ClientContext,
  statement: PipelinedStatement,
  call: ResolvedCall,
  found: (meta: readonly ColumnMeta[]) => void,
): AsyncGenerator<Row, void> {
  const streaming = new StreamOperation(context, statement, call, found)
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
  readonly #found: (meta: readonly ColumnMeta[]) => void
  readonly #opened: Deferred<Readable> = deferred()
  #rows: Readable | undefined
  #endpoint = ''
  #signal: AbortSignal | undefined

  constructor(
    context: ClientContext,
    statement: PipelinedStatement,
    call: ResolvedCall,
    found: (meta: readonly ColumnMeta[]) => void,
  ) {
    this.#found = found
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
    const { readOnly, classify } = traitsOf(this.#statement, this.#call)
    const target = readOnly ? readTarget(this.#context.readYourWrites, this.#call) : this.#call.route
    const { timeoutMs, signal } = this.#call
    const runner = new OperationRunner(this.#context, { target: target, timeoutMs, classify })
    const progress = new ProgressLimit(this.#context.clock, { timeoutMs, signal })
    try {
      await run(runner, this.#operation(progress.signal), (connection, until) =>
        readOnly
          ? this.#read(runner, connection, { signal: until(), progress })
          : this.#write(connection, { signal: until(), progress }),
      )
    } catch (error) {
      this.#opened.reject(error)
      this.#rows?.destroy(asError(error))
    } finally {
      progress.end()
    }
  }

  // Once the consumer has rows, nothing is begun again: another server would not continue at the same row.
  #operation(signal: AbortSignal): Operation {
    const { repeatable, effectIfLost } = traitsOf(this.#statement, this.#call)
    const delivered = (): boolean => this.#rows !== undefined
    return {
      name: 'stream',
      timeoutMs: longestStreamMs,
      signal,
      get repeatable() {
        return repeatable && !delivered()
      },
      effectIfLost: () => (delivered() ? 'unknown' : effectIfLost()),
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

  async #read(runner: OperationRunner, connection: MariadbConnection, limit: FlowLimit): Promise<void> {
    await ensureConsistency(this.#context.readYourWrites, runner, connection, this.#call)
    await this.#flow(connection, limit)
  }

  async #write(connection: MariadbConnection, limit: FlowLimit): Promise<void> {
    const flowing = this.#flow(connection, limit)
    await Promise.all([flowing, this.#context.readYourWrites.noteWrite(connection, flowing)])
  }

  async #flow(connection: MariadbConnection, { signal, progress }: FlowLimit): Promise<void> {
    this.#signal = signal
    const rows = connection.stream(this.#statement)
    rows.once('fields', this.#found)
    const leave = (): void => void rows.destroy(asError(signal.reason))
    signal.addEventListener('abort', leave, { once: true })
    // `readable` fires at the first row, and at the end of an empty result.
    await once(rows, 'readable')
    this.#rows = rows
    this.#endpoint = formatEndpoint(connection.endpoint)
    this.#opened.resolve(rows)
    progress.watch(() => (rows.readableLength > 0 ? 'waits for the consumer' : connection.received))
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

interface FlowLimit {
  readonly signal: AbortSignal
  readonly progress: ProgressLimit
}

// The longest delay of a timer, 24 days: the progress limits a stream, not its age.
const longestStreamMs = 2_147_483_647
// How often the progress is checked within the time limit: a stream is cut at most a quarter later.
const checksPerLimit = 4

/** Ends a stream whose server delivers nothing for `timeoutMs`: before the first row, and while the consumer waits. */
export class ProgressLimit {
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #scope: LinkedController
  #cancel: () => void

  constructor(clock: Clock, { timeoutMs, signal }: Pick<ResolvedCall, 'timeoutMs' | 'signal'>) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
    this.#scope = linkedController(signal)
    this.#cancel = clock.after(timeoutMs, () => this.#expire('no row'))
  }

  get signal(): AbortSignal {
    return this.#scope.signal
  }

  /** From now on, counts the time in which `mark` returns the same number; text is progress. */
  watch(mark: () => number | string): void {
    this.#cancel()
    const stepMs = Math.max(1, this.#timeoutMs / checksPerLimit)
    let [last, idle] = [mark(), 0]
    const check = (): void => {
      const now = mark()
      idle = typeof now === 'number' && now === last ? idle + 1 : 0
      last = now
      if (idle >= checksPerLimit) this.#expire('no further row')
      else this.#cancel = this.#clock.after(stepMs, check)
    }
    this.#cancel = this.#clock.after(stepMs, check)
  }

  end(): void {
    this.#cancel()
    this.#scope.unlink()
  }

  #expire(what: string): void {
    this.#scope.abort(new HaError('timed-out', `stream: ${what} within ${this.#timeoutMs} ms`))
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
