import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { type ConnectionSignal, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, type Deferred, deferred, detachStack } from '@ha/core/driver'
import { type Connection, SqlError } from 'mariadb'
import { encodeArgs } from './args.ts'
import { send, sendStream } from './commands.ts'
import { type DriverError, driverError, lost, saidByServer, unread, unsent } from './driver-error.ts'
import { type ResultRules, readResult } from './results.ts'
import { rowStream } from './row-stream.ts'
import { stains } from './stain.ts'
import type { Answer, Pipelined, Reply, Statement } from './statement.ts'

/** What waits for the server, and hears in the same turn when the connection ends. */
interface Waiting {
  reject(error: DriverError): void
}

// Server status flags of the protocol: SERVER_STATUS_IN_TRANS and SERVER_STATUS_AUTOCOMMIT.
const inTransaction = 0x1
const autocommit = 0x2

/**
 * One session. Some promises of the driver never settle, so none is awaited bare: whatever is under way is rejected in
 * the turn in which the connection ends.
 */
export class MariadbConnection {
  readonly endpoint: Endpoint
  readonly #driver: Connection
  readonly #socket: Socket
  readonly #rules: ResultRules
  readonly #waiting = new Set<Waiting>()
  readonly #closed: Deferred<void> = deferred()
  #report: ((signal: ConnectionSignal) => void) | undefined
  #over: HaError | undefined
  #serverStatus = 0
  #stained = false
  #wasReset = false
  #spoilt = false

  constructor(endpoint: Endpoint, driver: Connection, socket: Socket, rules: ResultRules) {
    this.endpoint = endpoint
    this.#driver = driver
    this.#socket = socket
    this.#rules = rules
    // Without a listener, an `error` event of the driver ends the process.
    driver.on('error', (error) => this.#end(error))
    driver.on('end', () => this.#end(hungUp()))
    // The driver does not listen for it: a socket that only closes would leave every statement waiting.
    socket.once('close', () => this.#end(hungUp()))
  }

  /** The server's number of this session: what `KILL` takes. */
  get threadId(): number {
    return this.#driver.threadId ?? 0
  }

  /** Whether something waits for the server. */
  get busy(): boolean {
    return this.#waiting.size > 0
  }

  /** Whether the connection has ended. */
  get over(): boolean {
    return this.#over !== undefined
  }

  /** Whether a transaction may be open: by the server's last word, which an error leaves as it was. */
  get inTransaction(): boolean {
    return (this.#serverStatus & inTransaction) !== 0
  }

  /** Whether something that ran here may have left something in the session. */
  get stained(): boolean {
    return this.#stained
  }

  /** Whether the session was ever reset. */
  get wasReset(): boolean {
    return this.#wasReset
  }

  /** Whether nobody may borrow it again. */
  get spoilt(): boolean {
    return this.#spoilt
  }

  /** Says that nobody may borrow it again. */
  spoil(): void {
    this.#spoilt = true
  }

  /** How many bytes came from the server. */
  get received(): number {
    return this.#socket.bytesRead
  }

  /** Runs a statement. Rejects with a {@link DriverError}. */
  run(statement: Statement): Promise<Answer> {
    try {
      const values = this.#admit(statement)
      const sent = send(this.#driver, statement, values)
      return this.#ask(sent, (result) => readResult(result, this.#rules))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Runs statements back to back, without waiting for the answers in between. Never rejects: each has its reply. */
  pipeline(statements: readonly Pipelined[]): Promise<readonly Reply[]> {
    return Promise.all(statements.map((statement) => this.run(statement).catch(asFailed)))
  }

  /**
   * Runs a query and streams its rows: the socket is read as fast as they are taken. To leave before the last row ends
   * the connection, as nothing else makes the server stop. Throws a {@link DriverError} when nothing was sent.
   */
  stream(statement: Pipelined): Readable {
    const values = this.#admit(statement)
    const waiting: Waiting = { reject: (error) => rows.destroy(error) }
    const rows = rowStream(sendStream(this.#driver, statement, values), this.#rules, {
      complete: () => void this.#answered(waiting),
      translate: (thrown) => driverError(thrown),
      left: () => this.destroy(new Error('a stream of rows was left before its end')),
    })
    this.#waiting.add(waiting)
    return rows
  }

  /** Asks for a sign of life, through everything that a statement goes through. */
  ping(): Promise<void> {
    return this.#ask(this.#driver.ping(), () => undefined)
  }

  /** Takes away what the session has gathered. The driver takes a refusal for success: the session itself must say. */
  reset(): Promise<void> {
    this.#wasReset = true
    return this.#ask(this.#driver.reset(), () => undefined)
  }

  /** Runs the statements that make the session as every borrower expects it, in one round trip. None of them stains. */
  async establish(statements: readonly Statement[]): Promise<void> {
    await Promise.all(statements.map((statement) => this.run(statement)))
    this.#stained = false
  }

  /** Ends it politely. Hangs as long as the server does. */
  async end(): Promise<void> {
    // Its own promise does not settle when the connection is lost meanwhile.
    this.#driver.end().catch(() => undefined)
    await this.#closed.promise
  }

  /** Ends it at once: whatever is under way is rejected in this turn. May be called twice. */
  destroy(cause: Error = new Error('it was ended')): void {
    this.#end(cause)
  }

  /** Reports `lost`, once, until the returned function is called. */
  watch(report: (signal: ConnectionSignal) => void): () => void {
    this.#report = report
    if (this.#over !== undefined) report({ kind: 'lost', error: this.#over })
    return () => {
      this.#report = undefined
    }
  }

  // Checks and writes out what is to be sent; throws when nothing can be.
  #admit(statement: Statement): unknown {
    if (this.#over !== undefined) throw unsent(this.#over)
    this.#stained ||= stains(statement.sql)
    try {
      return encodeArgs(statement, this.#rules.zone)
    } catch (cause) {
      throw unsent(asError(cause))
    }
  }

  #ask<T>(sent: Promise<unknown>, read: (result: unknown) => T): Promise<T> {
    const answer = deferred<T>()
    if (this.#over === undefined) this.#waiting.add(answer)
    else answer.reject(unsent(this.#over))
    sent.then(
      (result) => {
        if (this.#answered(answer)) this.#settle(answer, () => read(result))
      },
      (thrown: unknown) => this.#refused(answer, thrown),
    )
    return answer.promise
  }

  #settle<T>(answer: Deferred<T>, read: () => T): void {
    try {
      answer.resolve(read())
    } catch (cause) {
      answer.reject(unread(asError(cause)))
    }
  }

  // False when it was rejected with the connection already.
  #answered(waiting: Waiting): boolean {
    if (!this.#waiting.delete(waiting)) return false
    this.#serverStatus = this.#driver.info?.status ?? 0
    return true
  }

  #refused(waiting: Waiting, thrown: unknown): void {
    if (!this.#waiting.delete(waiting)) return
    // An error carries no status. Outside a transaction it opens none, unless the session commits nothing by itself.
    if ((this.#serverStatus & autocommit) === 0) this.#serverStatus |= inTransaction
    waiting.reject(driverError(thrown))
    // The driver failed while it wrote the statement, and now waits for an answer to it: it has lost its place.
    if (!(thrown instanceof SqlError)) this.destroy(asError(thrown))
  }

  #end(cause: Error): void {
    if (this.#over !== undefined) return
    const name = formatEndpoint(this.endpoint)
    const serverCode = saidByServer(cause) ? cause.errno : undefined
    const details = { outcome: 'unknown', retryable: true, endpoint: name, serverCode, cause } as const
    this.#over = detachStack(new HaError('lost', `${name}: ${saidBy(cause)}`, details))
    // Without an error: the driver would learn nothing that anybody waits for, and its listeners may be gone.
    this.#socket.destroy()
    for (const waiting of this.#waiting) waiting.reject(lost(this.#over))
    this.#waiting.clear()
    this.#closed.resolve()
    this.#report?.({ kind: 'lost', error: this.#over })
  }
}

function hungUp(): Error {
  return new Error('the connection was closed')
}

function saidBy(cause: Error): string {
  return cause instanceof SqlError ? `${cause.code}: ${cause.sqlMessage}` : cause.message
}

function asFailed(error: DriverError): Reply {
  return { kind: 'failed', error }
}
