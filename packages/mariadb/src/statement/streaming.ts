import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { formatEndpoint, run } from '@ha/core'
import { asError, type Deferred, deferred } from '@ha/core/driver'
import type { Call } from '../call-options.ts'
import type { Causality } from '../consistency/causality.ts'
import type { MariadbConnection } from '../driver/connection.ts'
import type { Pipelined, Row } from '../driver/statement.ts'
import { fromCore, fromDriver, fromSignal } from '../from-driver.ts'
import type { MariadbError } from '../mariadb-error.ts'
import { natureOf, outcomesOf } from './nature.ts'
import { beforeReading, readerFor } from './reading.ts'
import { type Ground, OperationRunner } from './runner.ts'

/**
 * Streams the rows of a query, as fast as they are taken. Until the first row has come it is begun again on another
 * server like any read; after that never, since nobody knows where another server would go on.
 */
export async function* streamRows(
  ground: Ground,
  causality: Causality,
  statement: Pipelined,
  call: Call,
): AsyncGenerator<Row, void> {
  const streaming = new Streaming(ground, causality, statement, call)
  const whole = streaming.run()
  try {
    for await (const row of await streaming.opened) yield row as Row
  } catch (error) {
    throw streaming.inWords(error)
  } finally {
    streaming.leave()
    await whole
  }
}

/** One stream: the operation that holds its connection, from the borrow until the last row was taken. */
class Streaming {
  readonly #ground: Ground
  readonly #causality: Causality
  readonly #statement: Pipelined
  readonly #call: Call
  readonly #opened: Deferred<Readable> = deferred()
  #rows: Readable | undefined
  #endpoint = ''
  #signal: AbortSignal | undefined

  constructor(ground: Ground, causality: Causality, statement: Pipelined, call: Call) {
    this.#ground = ground
    this.#causality = causality
    this.#statement = statement
    this.#call = call
  }

  /** The rows, when the first has come or there is none. Rejects when there will be none. */
  get opened(): Promise<Readable> {
    return this.#opened.promise
  }

  /** Holds a connection until the rows are taken. Never rejects: what fails is heard by whoever takes them. */
  async run(): Promise<void> {
    const { harmless, repeatable, effectIfLost, classify } = natureOf(this.#statement, this.#call)
    const asked = harmless ? readerFor(this.#causality, this.#call) : this.#call.route
    const { timeoutMs, signal } = this.#call
    const runner = new OperationRunner(this.#ground, { asked, timeoutMs, classify })
    const operation = { name: 'stream', timeoutMs, signal, repeatable, effectIfLost }
    try {
      await run(runner, operation, (connection, until) =>
        harmless ? this.#read(runner, connection, until()) : this.#write(connection, until()),
      )
    } catch (error) {
      this.#opened.reject(error)
      this.#rows?.destroy(asError(error))
    }
  }

  /** Nobody takes the rest of the rows. */
  leave(): void {
    this.#rows?.destroy()
  }

  inWords(thrown: unknown): MariadbError {
    const error = this.#rows === undefined ? fromCore(thrown) : this.#broken(thrown)
    if (error.outcome === 'unknown') this.#ground.onUnknown('stream', error)
    return error
  }

  async #read(runner: OperationRunner, connection: MariadbConnection, signal: AbortSignal): Promise<void> {
    await beforeReading(this.#causality, runner, connection, this.#call)
    await this.#flow(connection, signal)
  }

  async #write(connection: MariadbConnection, signal: AbortSignal): Promise<void> {
    const flowing = this.#flow(connection, signal)
    await Promise.all([flowing, this.#causality.note(connection, flowing)])
  }

  async #flow(connection: MariadbConnection, signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const rows = connection.stream(this.#statement)
    const leave = (): void => void rows.destroy(asError(signal.reason))
    signal.addEventListener('abort', leave, { once: true })
    // Fires with the first row, and at the end when there is none.
    await once(rows, 'readable')
    this.#rows = rows
    this.#endpoint = formatEndpoint(connection.endpoint)
    this.#opened.resolve(rows)
    await taken(rows)
    signal.removeEventListener('abort', leave)
  }

  // After the first row nothing is begun again: how far the statement came says what is known of it.
  #broken(thrown: unknown): MariadbError {
    const outcomes = outcomesOf(this.#statement, thrown)
    if (this.#signal?.aborted) return fromSignal(this.#signal.reason, 'stream', outcomes.lost)
    return fromDriver(thrown, 'stream', this.#endpoint, outcomes)
  }
}

async function taken(rows: Readable): Promise<void> {
  if (rows.closed) return
  const closed = deferred()
  rows.once('close', closed.resolve)
  // Whoever takes the rows hears of it; without a listener here it would be nobody's.
  rows.on('error', () => undefined)
  await closed.promise
}
