import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { type Clock, HaError } from '@ha/core'
import { asError, type Deferred, deferred, linkedController, raceAbort } from '@ha/core/driver'
import type { MariadbConnection } from '../driver/connection.ts'
import { DriverError } from '../driver/error-classification.ts'
import type { Answer, ColumnMeta, PipelinedStatement, Row, Statement } from '../driver/statement.ts'
import type { StatementLimits } from '../options/call-options.ts'
import type { StatementKiller } from './statement-killer.ts'
import { ProgressLimit } from './stream.ts'

interface StatementSequenceDeps {
  readonly connection: MariadbConnection
  /** Fires when the callback is over: by its deadline, by the caller, or by the loss of the connection. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly killer: Pick<StatementKiller, 'kill'>
}

/** The turn of one statement: it alone uses the connection. */
export interface Turn {
  /** Fires when the statement, or the callback, is out of time. */
  readonly signal: AbortSignal
  /** Sends a statement, and ends it at the server when its time is up. */
  send(statement: Statement): Promise<Answer>
}

/** Sends the statement of a turn, and resolves when the server has answered it. */
type Exchange = (turn: Turn, send: () => Promise<unknown>) => Promise<unknown>

/** How a stream is sent, and how its errors are told. */
interface StreamRequest {
  readonly statement: PipelinedStatement
  readonly limits: StatementLimits
  readonly exchange: Exchange
  /** Receives the columns before the first row. */
  readonly found: (meta: readonly ColumnMeta[]) => void
  /** Converts the error of rows that cannot be read, of which the exchange knows nothing. */
  readonly explain: (error: DriverError) => Error
}

/**
 * The statements of one callback, one at a time: what the server reads behind a statement that ended the transaction
 * it would commit by itself. Each may have a limit of its own. A statement that is out of time is ended at the server, and
 * its connection is not used again.
 */
export class StatementSequence {
  readonly #deps: StatementSequenceDeps
  readonly #waiting = new Set<(error: Error) => void>()
  #last: Promise<void> | undefined
  // Those that wait for their turn, too.
  readonly #streams = new Set<OpenStream>()
  #streaming = false

  constructor(deps: StatementSequenceDeps) {
    this.#deps = deps
  }

  /** Runs `work` when everything that was started before is answered. */
  run<T>(limits: StatementLimits, work: (turn: Turn) => Promise<T>): Promise<T> {
    return this.#inTurn(limitOf(limits, this.#deps, 'deadline'), work)
  }

  /** Whether the answer of a stream is outstanding: then nothing else can be sent. */
  get streaming(): boolean {
    return this.#streaming
  }

  /** Ends the open streams for their consumers; the rest of the answer is read and dropped. */
  leaveStreams(reason: () => Error): void {
    for (const stream of this.#streams) stream.leave(reason())
  }

  /** Waits until everything that was started is answered. */
  async idle(): Promise<void> {
    while (this.#last !== undefined) await this.#last
  }

  /**
   * Streams the rows of a query at the pace of the consumer, who has the turn until the answer of the server is
   * complete. When the consumer leaves before, the rest is read and dropped.
   */
  async *stream(request: StreamRequest): AsyncGenerator<Row, void> {
    const { clock } = this.#deps
    const limit = limitOf(request.limits, this.#deps, 'progress')
    const stream = new OpenStream(clock, request, (error) => {
      for (const refuse of this.#waiting) refuse(error)
    })
    const whole = this.#inTurn(limit, (turn) => request.exchange(turn, () => this.#flow(stream, limit)))
    this.#streams.add(stream)
    whole.catch((error: unknown) => stream.fail(error)).finally(() => this.#streams.delete(stream))
    try {
      yield* stream.rows()
    } catch (thrown) {
      if (thrown instanceof DriverError && thrown.stage === 'unread') throw request.explain(thrown)
      await whole
      throw thrown
    } finally {
      stream.leave()
    }
    await whole
  }

  async #flow(stream: OpenStream, limit: Limit): Promise<void> {
    this.#streaming = true
    try {
      await this.#untilOver(stream.run(this.#deps.connection, limit), limit)
    } finally {
      this.#streaming = false
    }
  }

  async #inTurn<T>(limit: Limit, work: (turn: Turn) => Promise<T>): Promise<T> {
    const { connection } = this.#deps
    const previous = this.#last
    const over = deferred<void>()
    const { promise } = over
    this.#last = promise
    const end = (): void => {
      if (this.#last === promise) this.#last = undefined
      over.resolve()
    }
    let waits = previous !== undefined
    try {
      if (previous !== undefined) await this.#waitFor(previous, limit.signal)
      waits = false
      const send = (statement: Statement): Promise<Answer> =>
        this.#untilOver(connection.run(statement), limit)
      return await work({ signal: limit.signal, send })
    } finally {
      limit.end()
      // A statement that gave up its place must not let the next one pass before its predecessor is answered.
      if (waits) previous?.then(end, end)
      else end()
    }
  }

  async #waitFor(previous: Promise<void>, signal: AbortSignal): Promise<void> {
    const refused = deferred<never>()
    const { reject } = refused
    this.#waiting.add(reject)
    try {
      await raceAbort(Promise.race([previous, refused.promise]), signal, ignore)
    } finally {
      this.#waiting.delete(reject)
    }
  }

  // The server still works on a statement that is out of time.
  async #untilOver<T>(sent: Promise<T>, { signal }: Limit): Promise<T> {
    const { connection, killer } = this.#deps
    try {
      return await raceAbort(sent, signal, ignore)
    } catch (thrown) {
      if (signal.aborted && thrown === signal.reason) {
        const statement = connection.giveUp()
        if (statement !== undefined) killer.kill(statement)
      }
      throw thrown
    }
  }
}

// How long a stream may wait for its consumer while another statement waits for the stream. Without an end, a loop
// over the rows that runs statements of its own transaction would wait for itself.
const stallChecks = 4
const stallCheckMs = 250

/** One stream of a sequence. */
class OpenStream {
  readonly #clock: Clock
  readonly #request: StreamRequest
  readonly #refuseWaiting: (error: Error) => void
  readonly #opened: Deferred<Readable> = deferred()
  #rows: Readable | undefined
  #taken = 0
  #waitsForConsumer = false
  #left: Error | true | undefined

  constructor(clock: Clock, request: StreamRequest, refuseWaiting: (error: Error) => void) {
    this.#clock = clock
    this.#request = request
    this.#refuseWaiting = refuseWaiting
  }

  /** Sends the statement, and resolves when its answer is complete. */
  async run(connection: MariadbConnection, limit: Limit): Promise<void> {
    if (this.#left !== undefined) return
    const { rows, answered } = connection.streamThrough(this.#request.statement)
    const cancel = this.#watchConsumer()
    try {
      this.#rows = rows
      rows.once('fields', this.#request.found)
      rows.on('error', ignore)
      // `readable` fires at the first row, and at the end of an empty result.
      const readable = once(rows, 'readable')
      readable.then(() => this.#opened.resolve(rows), ignore)
      limit.watch(() => (rows.readableLength > 0 ? 'waits for the consumer' : connection.received))
      await answered
    } finally {
      cancel()
    }
  }

  /** The rows, once the server sends them. */
  async *rows(): AsyncGenerator<Row, void> {
    for await (const row of await this.#opened.promise) {
      this.#taken += 1
      this.#waitsForConsumer = true
      yield row as Row
      this.#waitsForConsumer = false
    }
  }

  /** Ends the stream for the consumer, who then receives `reason`. Without one it was the consumer who left. */
  leave(reason?: Error): void {
    if (this.#left !== undefined) return
    this.#left = reason ?? true
    this.#waitsForConsumer = false
    this.#rows?.destroy(reason)
    if (reason !== undefined) this.#opened.reject(reason)
  }

  /** Ends the stream with the error of its statement. */
  fail(error: unknown): void {
    this.#opened.reject(error)
    this.#rows?.destroy(asError(error))
  }

  // Refuses the statements that wait for a stream whose consumer takes no row.
  #watchConsumer(): () => void {
    let [taken, idle] = [0, 0]
    const check = (): void => {
      idle = this.#waitsForConsumer && this.#taken === taken ? idle + 1 : 0
      taken = this.#taken
      if (idle >= stallChecks) this.#refuseWaiting(stalled())
      cancel = this.#clock.after(stallCheckMs, check)
    }
    let cancel = this.#clock.after(stallCheckMs, check)
    return () => cancel()
  }
}

function stalled(): HaError {
  return new HaError(
    'rejected',
    'not sent: a stream on the same connection waits for its consumer; take its rows to the end, or leave it, before the next statement',
  )
}

/** The time limit of one statement. */
interface Limit {
  readonly signal: AbortSignal
  /** For a stream: from now on, its progress is limited instead of its age. */
  watch(mark: () => number | string): void
  end(): void
}

function limitOf(
  { timeoutMs, signal }: StatementLimits,
  deps: StatementSequenceDeps,
  kind: 'deadline' | 'progress',
): Limit {
  if (timeoutMs === undefined && signal === undefined)
    return { signal: deps.signal, watch: ignore, end: ignore }
  const scope = linkedController(deps.signal, signal)
  if (timeoutMs === undefined) return { signal: scope.signal, watch: ignore, end: scope.unlink }
  if (kind === 'progress') {
    const progress = new ProgressLimit(deps.clock, { timeoutMs, signal: scope.signal })
    const end = (): void => {
      progress.end()
      scope.unlink()
    }
    return { signal: progress.signal, watch: (mark) => progress.watch(mark), end }
  }
  const expire = (): void => scope.abort(new HaError('timed-out', `no answer within ${timeoutMs} ms`))
  const cancel = deps.clock.after(timeoutMs, expire)
  const end = (): void => {
    cancel()
    scope.unlink()
  }
  return { signal: scope.signal, watch: ignore, end }
}

function ignore(): void {}
