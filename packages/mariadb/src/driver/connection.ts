import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { type ConnectionSignal, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, type Deferred, deferred, detachStack } from '@ha/core/driver'
import { type Connection, SqlError } from 'mariadb'
import { dirtiesSession, mayCommit } from '../sql-text.ts'
import {
  combineAnswers,
  encodeArgs,
  partsThatFit,
  type ResultRules,
  readResult,
  rowStream,
  sendStatement,
  sendStream,
} from './codec.ts'
import {
  type DriverError,
  isServerError,
  lostError,
  toDriverError,
  unreadableError,
  unsentError,
} from './error-classification.ts'
import type { AbandonedStatement, Answer, PipelinedStatement, Reply, Row, Statement } from './statement.ts'

/** A command that waits for its answer; rejected at once when the connection ends. */
interface PendingCommand {
  /** The statement; undefined for a ping or a reset. */
  readonly sql: string | undefined
  reject(error: DriverError): void
}

/** A stream, and the end of the answer from which it reads. */
interface OpenedStream {
  readonly rows: Readable
  readonly answered: Promise<void>
}

// Server status flags of the protocol: SERVER_STATUS_IN_TRANS and SERVER_STATUS_AUTOCOMMIT.
const inTransactionFlag = 0x1
const autocommitFlag = 0x2

const serverQuestion =
  'SELECT @@max_allowed_packet AS bytes, @@hostname AS host, @@port AS port, @@server_id AS id'
// Where `wsrep_sync_wait` is set for all sessions, a plain SELECT would wait for a change of the view, and with it the
// login. Servers without the variable refuse this form.
const serverQuestions: readonly string[] = [
  `SET STATEMENT wsrep_sync_wait=0 FOR ${serverQuestion}`,
  serverQuestion,
]
// Anywhere in the text: after a comment, in a block, or in a procedure's name, where leaving it alone costs little.
const commits = /\bCOMMIT\b|\bCALL\b|^\s*XA\b/i

/**
 * One connection with its session. Some promises of the `mariadb` driver never settle, so none is awaited directly:
 * every pending command is rejected in the turn in which the connection ends.
 */
export class MariadbConnection {
  readonly endpoint: Endpoint
  /** The server, as `host:port`. */
  readonly address: string
  readonly #driver: Connection
  readonly #socket: Socket
  #rules: ResultRules
  readonly #pending = new Set<PendingCommand>()
  readonly #closed: Deferred<void> = deferred()
  #report: ((signal: ConnectionSignal) => void) | undefined
  #endError: HaError | undefined
  #serverStatus = 0
  #dirty = false
  #wasReset = false
  #retired = false
  #maxPacketBytes = Number.POSITIVE_INFINITY
  #server: string | undefined
  #abandoned: AbandonedStatement | undefined
  #givenUp = false

  constructor(endpoint: Endpoint, driver: Connection, socket: Socket, rules: ResultRules) {
    this.endpoint = endpoint
    this.address = formatEndpoint(endpoint)
    this.#driver = driver
    this.#socket = socket
    this.#rules = rules
    // An `error` event without a listener would end the process.
    driver.on('error', (error) => this.#terminate(error))
    driver.on('end', () => this.#terminate(connectionClosed()))
    // The driver ignores `close`: a socket that closes without an error would leave every statement pending.
    socket.once('close', () => this.#terminate(connectionClosed()))
  }

  /** The connection id on the server, as `KILL` takes it. */
  get threadId(): number {
    return this.#driver.threadId ?? 0
  }

  /** The IP address of the server; undefined when the connection has ended. */
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  /** Whether a command is pending. */
  get busy(): boolean {
    return this.#pending.size > 0
  }

  /** Whether the connection has ended. */
  get ended(): boolean {
    return this.#endError !== undefined
  }

  /** Whether a transaction may be open, by the last status flags of the server. An error packet carries none. */
  get inTransaction(): boolean {
    return (this.#serverStatus & inTransactionFlag) !== 0
  }

  /** Whether the session commits each statement by itself. */
  get autocommit(): boolean {
    return (this.#serverStatus & autocommitFlag) !== 0
  }

  /** Whether a statement may have left state in the session. */
  get dirty(): boolean {
    return this.#dirty
  }

  /** Whether the session was reset at least once. */
  get wasReset(): boolean {
    return this.#wasReset
  }

  /** Whether the connection must not be leased again. */
  get retired(): boolean {
    return this.#retired
  }

  /** The identity of the server, as far as it tells: `host:port/server_id`. Undefined when a proxy does not answer. */
  get server(): string | undefined {
    return this.#server
  }

  /**
   * The statement that its caller gave up while the server executed it, to be ended there. Undefined when there is none,
   * and during COMMIT, whose outcome must not depend on it.
   */
  get abandoned(): AbandonedStatement | undefined {
    return this.#givenUp ? undefined : (this.#abandoned ?? this.#underWay())
  }

  /** Excludes the connection from further use, and hands over the statement under way, as `abandoned`, once. */
  giveUp(): AbandonedStatement | undefined {
    const { abandoned } = this
    this.#retired = true
    this.#givenUp = true
    return abandoned
  }

  #underWay(): AbandonedStatement | undefined {
    const { localPort } = this.#socket
    if (localPort === undefined || this.threadId === 0) return undefined
    const statements = [...this.#pending].map(({ sql }) => sql).filter((sql) => sql !== undefined)
    const committing = (sql: string): boolean => commits.test(sql) || (this.inTransaction && mayCommit(sql))
    if (statements.length === 0 || statements.some(committing)) return undefined
    return { endpoint: this.endpoint, threadId: this.threadId, localPort, server: this.#server }
  }

  /** Excludes the connection from further leases. */
  retire(): void {
    this.#retired = true
  }

  /** Converts dates in this zone from now on. */
  useZone(zone: ResultRules['zone']): void {
    this.#rules = { ...this.#rules, zone }
  }

  /** The number of bytes received from the server. */
  get received(): number {
    return this.#socket.bytesRead
  }

  /** Runs a statement. Rejects with a {@link DriverError}. */
  run(statement: Statement): Promise<Answer> {
    try {
      const parts = this.#prepare(statement)
      return parts.length === 1 ? this.#send(statement, parts[0]) : this.#sendParts(statement, parts)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  // One after the other: the server would commit by itself what it reads behind a part that ended the transaction.
  async #sendParts(statement: Statement, parts: readonly unknown[]): Promise<Answer> {
    // The connection stays busy between two parts.
    const whole: PendingCommand = { sql: statement.sql, reject: ignore }
    this.#pending.add(whole)
    try {
      const answers: Answer[] = []
      for (const part of parts) answers.push(await this.#send(statement, part))
      return combineAnswers(answers)
    } finally {
      this.#pending.delete(whole)
    }
  }

  #send(statement: Statement, values: unknown): Promise<Answer> {
    const sent = sendStatement(this.#driver, statement, values)
    return this.#awaitAnswer(sent, (result) => readResult(result, this.#rulesFor(statement)), statement.sql)
  }

  #rulesFor({ rowsAsArray }: Statement): ResultRules {
    return rowsAsArray === true ? { ...this.#rules, rowsAsArray } : this.#rules
  }

  /** Sends statements without waiting for the answers in between. Never rejects: each statement has its own reply. */
  pipeline(statements: readonly PipelinedStatement[]): Promise<readonly Reply[]> {
    return Promise.all(statements.map((statement) => this.run(statement).catch(failedReply)))
  }

  /**
   * Runs a query and streams its rows; the socket is read at the pace of the consumer. Leaving before the last row
   * closes the connection, because nothing else stops the server. Throws a {@link DriverError} when nothing was sent.
   */
  stream(statement: PipelinedStatement): Readable {
    return this.#openStream(statement, () => {
      this.#abandoned = this.#underWay()
      this.destroy(new Error('the row stream was closed before its end'))
    }).rows
  }

  /**
   * As {@link stream}, for a connection that goes on: the rows that the consumer leaves are read and dropped.
   * `answered` settles when the answer is complete.
   */
  streamThrough(statement: PipelinedStatement): OpenedStream {
    return this.#openStream(statement, ignore)
  }

  #openStream(statement: PipelinedStatement, abandoned: () => void): OpenedStream {
    const [values] = this.#prepare(statement)
    const answered = deferred<void>()
    answered.promise.catch(ignore)
    const fail = (error: DriverError): void => {
      rows.destroy(error)
      answered.reject(error)
    }
    const waiting: PendingCommand = { sql: statement.sql, reject: fail }
    const rows = rowStream(sendStream(this.#driver, statement, values), this.#rulesFor(statement), {
      complete: (thrown) => {
        if (thrown === undefined) void this.#complete(waiting)
        else this.#fail(waiting, thrown)
        if (thrown === undefined) answered.resolve()
      },
      translate: (thrown) => toDriverError(thrown),
      abandoned,
    })
    this.#pending.add(waiting)
    return { rows, answered: answered.promise }
  }

  /** Sends COM_PING through the same queue as statements. */
  ping(): Promise<void> {
    return this.#awaitAnswer(this.#driver.ping(), () => undefined)
  }

  /**
   * Sends COM_RESET_CONNECTION. The driver resolves even when the server refuses, so the caller has to verify the
   * result.
   */
  reset(): Promise<void> {
    this.#wasReset = true
    return this.#awaitAnswer(this.#driver.reset(), () => undefined)
  }

  /**
   * Runs the statements that initialize the session, in one round trip, and reads the limit of its packets and the identity of its server. They do not
   * make the session dirty.
   */
  async initialize(statements: readonly Statement[]): Promise<void> {
    const server = this.#readServer()
    await Promise.all(statements.map((statement) => this.run(statement)))
    await server
    this.#dirty = false
  }

  // The limit of a session never changes. A proxy may not answer: then the server refuses what is too large.
  async #readServer(): Promise<void> {
    if (Number.isFinite(this.#maxPacketBytes)) return
    for (const sql of serverQuestions) {
      const answer = await this.run({ sql, kind: 'text' }).catch(ignore)
      const row = answer?.kind === 'rows' ? answer.rows[0] : undefined
      if (row !== undefined && Number(row['bytes']) > 0) {
        this.#learn(row)
        return
      }
    }
  }

  #learn(row: Row): void {
    this.#maxPacketBytes = Number(row['bytes'])
    this.#server = `${row['host']}:${row['port']}/${row['id']}`
  }

  /** Closes the connection with COM_QUIT. Pending for as long as the server does not respond. */
  async end(): Promise<void> {
    // The driver's promise does not settle when the connection is lost meanwhile.
    this.#driver.end().catch(() => undefined)
    await this.#closed.promise
  }

  /** Closes the connection at once and rejects all pending commands in this turn. Idempotent. */
  destroy(cause: Error = new Error('the client closed the connection')): void {
    this.#terminate(cause)
  }

  /** Reports `lost` once; the returned function removes the listener. */
  watch(report: (signal: ConnectionSignal) => void): () => void {
    this.#report = report
    if (this.#endError !== undefined) report({ kind: 'lost', error: this.#endError })
    return () => {
      this.#report = undefined
    }
  }

  // Encodes the arguments of a statement, in parts for a batch of many rows; throws when it cannot be sent.
  #prepare(statement: Statement): readonly unknown[] {
    if (this.#endError !== undefined) throw unsentError(this.#endError)
    this.#dirty ||= dirtiesSession(statement.sql)
    try {
      return partsThatFit(statement, encodeArgs(statement, this.#rules.zone), this.#maxPacketBytes)
    } catch (cause) {
      throw unsentError(asError(cause))
    }
  }

  #awaitAnswer<T>(sent: Promise<unknown>, read: (result: unknown) => T, sql?: string): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => {
      const pending: PendingCommand = { sql, reject }
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
    // Commands are pipelined: one may be rejected with the connection before its caller awaits it.
    answer.catch(ignore)
    return answer
  }

  // Returns false when the command was already rejected with the connection.
  #complete(waiting: PendingCommand): boolean {
    if (!this.#pending.delete(waiting)) return false
    this.#serverStatus = this.#driver.info?.status ?? 0
    return true
  }

  #fail(waiting: PendingCommand, thrown: unknown): void {
    if (!this.#pending.delete(waiting)) return
    // An error packet carries no status flags. It cannot open a transaction, except in a session without autocommit.
    if ((this.#serverStatus & autocommitFlag) === 0) this.#serverStatus |= inTransactionFlag
    waiting.reject(toDriverError(thrown))
    // The driver failed while it wrote the statement and now expects an answer to it: the connection is out of step.
    if (!(thrown instanceof SqlError)) this.destroy(asError(thrown))
  }

  #terminate(cause: Error): void {
    if (this.#endError !== undefined) return
    const name = this.address
    const serverCode = isServerError(cause) ? cause.errno : undefined
    const details = { outcome: 'unknown', retryable: true, endpoint: name, serverCode, cause } as const
    this.#endError = detachStack(new HaError('lost', `${name}: ${describeCause(cause)}`, details))
    // Destroyed without an error: the driver's listeners may be gone, and an unhandled `error` event would end the
    // process.
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
 * Catches what the driver throws while it parses received data, which would end the process: a malformed packet, or
 * an error packet in the same segment as the end of the login. Call it right after the driver received the socket.
 * With TLS the driver reads another socket.
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

function ignore(): void {}
