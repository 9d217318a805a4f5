import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { type ConnectionSignal, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, type Deferred, deferred, detachStack } from '@ha/core/driver'
import { type Connection, SqlError } from 'mariadb'
import { dirtiesSession } from '../sql-text.ts'
import { encodeArgs, sendStatement, sendStream } from './encode.ts'
import {
  type DriverError,
  isServerError,
  lostError,
  toDriverError,
  unreadableError,
  unsentError,
} from './error-classification.ts'
import { type ResultRules, readResult, rowStream } from './results.ts'
import type { Answer, PipelinedStatement, Reply, Statement } from './statement.ts'

/** What waits for the server, and hears in the same turn when the connection ends. */
interface PendingCommand {
  reject(error: DriverError): void
}

// Server status flags of the protocol: SERVER_STATUS_IN_TRANS and SERVER_STATUS_AUTOCOMMIT.
const inTransactionFlag = 0x1
const autocommitFlag = 0x2

/**
 * One session. Some promises of the driver never settle, so none is awaited bare: whatever is under way is rejected in
 * the turn in which the connection ends.
 */
export class MariadbConnection {
  readonly endpoint: Endpoint
  /** The server, as `host:port`. */
  readonly address: string
  readonly #driver: Connection
  readonly #socket: Socket
  readonly #rules: ResultRules
  readonly #pending = new Set<PendingCommand>()
  readonly #closed: Deferred<void> = deferred()
  #report: ((signal: ConnectionSignal) => void) | undefined
  #endError: HaError | undefined
  #serverStatus = 0
  #dirty = false
  #wasReset = false
  #retired = false

  constructor(endpoint: Endpoint, driver: Connection, socket: Socket, rules: ResultRules) {
    this.endpoint = endpoint
    this.address = formatEndpoint(endpoint)
    this.#driver = driver
    this.#socket = socket
    this.#rules = rules
    // Without a listener, an `error` event of the driver ends the process.
    driver.on('error', (error) => this.#terminate(error))
    driver.on('end', () => this.#terminate(connectionClosed()))
    // The driver does not listen for it: a socket that only closes would leave every statement waiting.
    socket.once('close', () => this.#terminate(connectionClosed()))
  }

  /** The server's number of this session: what `KILL` takes. */
  get threadId(): number {
    return this.#driver.threadId ?? 0
  }

  /** Whether something waits for the server. */
  get busy(): boolean {
    return this.#pending.size > 0
  }

  /** Whether the connection has ended. */
  get ended(): boolean {
    return this.#endError !== undefined
  }

  /** Whether a transaction may be open: by the server's last word, which an error leaves as it was. */
  get inTransaction(): boolean {
    return (this.#serverStatus & inTransactionFlag) !== 0
  }

  /** Whether something that ran here may have left something in the session. */
  get dirty(): boolean {
    return this.#dirty
  }

  /** Whether the session was ever reset. */
  get wasReset(): boolean {
    return this.#wasReset
  }

  /** Whether nobody may borrow it again. */
  get retired(): boolean {
    return this.#retired
  }

  /** Says that nobody may borrow it again. */
  retire(): void {
    this.#retired = true
  }

  /** How many bytes came from the server. */
  get received(): number {
    return this.#socket.bytesRead
  }

  /** Runs a statement. Rejects with a {@link DriverError}. */
  run(statement: Statement): Promise<Answer> {
    try {
      const values = this.#prepare(statement)
      const sent = sendStatement(this.#driver, statement, values)
      return this.#awaitAnswer(sent, (result) => readResult(result, this.#rules))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Runs statements back to back, without waiting for the answers in between. Never rejects: each has its reply. */
  pipeline(statements: readonly PipelinedStatement[]): Promise<readonly Reply[]> {
    return Promise.all(statements.map((statement) => this.run(statement).catch(failedReply)))
  }

  /**
   * Runs a query and streams its rows: the socket is read as fast as they are taken. To leave before the last row ends
   * the connection, as nothing else makes the server stop. Throws a {@link DriverError} when nothing was sent.
   */
  stream(statement: PipelinedStatement): Readable {
    const values = this.#prepare(statement)
    const waiting: PendingCommand = { reject: (error) => rows.destroy(error) }
    const rows = rowStream(sendStream(this.#driver, statement, values), this.#rules, {
      complete: () => void this.#complete(waiting),
      translate: (thrown) => toDriverError(thrown),
      abandoned: () => this.destroy(new Error('a stream of rows was left before its end')),
    })
    this.#pending.add(waiting)
    return rows
  }

  /** Asks for a sign of life, through everything that a statement goes through. */
  ping(): Promise<void> {
    return this.#awaitAnswer(this.#driver.ping(), () => undefined)
  }

  /** Takes away what the session has gathered. The driver takes a refusal for success: the session itself must say. */
  reset(): Promise<void> {
    this.#wasReset = true
    return this.#awaitAnswer(this.#driver.reset(), () => undefined)
  }

  /** Runs the statements that make the session as every borrower expects it, in one round trip. None of them stains. */
  async initialize(statements: readonly Statement[]): Promise<void> {
    await Promise.all(statements.map((statement) => this.run(statement)))
    this.#dirty = false
  }

  /** Ends it politely. Hangs as long as the server does. */
  async end(): Promise<void> {
    // Its own promise does not settle when the connection is lost meanwhile.
    this.#driver.end().catch(() => undefined)
    await this.#closed.promise
  }

  /** Ends it at once: whatever is under way is rejected in this turn. May be called twice. */
  destroy(cause: Error = new Error('it was ended')): void {
    this.#terminate(cause)
  }

  /** Reports `lost`, once, until the returned function is called. */
  watch(report: (signal: ConnectionSignal) => void): () => void {
    this.#report = report
    if (this.#endError !== undefined) report({ kind: 'lost', error: this.#endError })
    return () => {
      this.#report = undefined
    }
  }

  // Checks and writes out what is to be sent; throws when nothing can be.
  #prepare(statement: Statement): unknown {
    if (this.#endError !== undefined) throw unsentError(this.#endError)
    this.#dirty ||= dirtiesSession(statement.sql)
    try {
      return encodeArgs(statement, this.#rules.zone)
    } catch (cause) {
      throw unsentError(asError(cause))
    }
  }

  #awaitAnswer<T>(sent: Promise<unknown>, read: (result: unknown) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const pending: PendingCommand = { reject }
      if (this.#endError === undefined) this.#pending.add(pending)
      else reject(unsentError(this.#endError))
      sent.then(
        (result) => {
          if (!this.#complete(pending)) return
          try {
            resolve(read(result))
          } catch (cause) {
            reject(unreadableError(asError(cause)))
          }
        },
        (thrown: unknown) => this.#fail(pending, thrown),
      )
    })
  }

  // False when it was rejected with the connection already.
  #complete(waiting: PendingCommand): boolean {
    if (!this.#pending.delete(waiting)) return false
    this.#serverStatus = this.#driver.info?.status ?? 0
    return true
  }

  #fail(waiting: PendingCommand, thrown: unknown): void {
    if (!this.#pending.delete(waiting)) return
    // An error carries no status. Outside a transaction it opens none, unless the session commits nothing by itself.
    if ((this.#serverStatus & autocommitFlag) === 0) this.#serverStatus |= inTransactionFlag
    waiting.reject(toDriverError(thrown))
    // The driver failed while it wrote the statement, and now waits for an answer to it: it has lost its place.
    if (!(thrown instanceof SqlError)) this.destroy(asError(thrown))
  }

  #terminate(cause: Error): void {
    if (this.#endError !== undefined) return
    const name = this.address
    const serverCode = isServerError(cause) ? cause.errno : undefined
    const details = { outcome: 'unknown', retryable: true, endpoint: name, serverCode, cause } as const
    this.#endError = detachStack(new HaError('lost', `${name}: ${describeCause(cause)}`, details))
    // Without an error: the driver would learn nothing that anybody waits for, and its listeners may be gone.
    this.#socket.destroy()
    for (const waiting of this.#pending) waiting.reject(lostError(this.#endError))
    this.#pending.clear()
    this.#closed.resolve()
    this.#report?.({ kind: 'lost', error: this.#endError })
  }
}

function connectionClosed(): Error {
  return new Error('the connection was closed')
}

function describeCause(cause: Error): string {
  return cause instanceof SqlError ? `${cause.code}: ${cause.sqlMessage}` : cause.message
}

function failedReply(error: DriverError): Reply {
  return { kind: 'failed', error }
}

/**
 * Hands over what the driver throws over what it reads, which would end the process: a malformed packet, or an error
 * packet in one segment with the end of the login, before anybody can listen for the driver's errors. To be called
 * when the driver has just been given the socket; under TLS it reads another one.
 */
export function guardSocketReader(socket: Socket, onThrow: (error: Error) => void): void {
  const readers = socket.listeners('data') as ((data: Buffer) => void)[]
  socket.removeAllListeners('data')
  socket.on('data', (data) => {
    try {
      for (const read of readers) read(data)
    } catch (thrown) {
      onThrow(asError(thrown))
    }
  })
}
