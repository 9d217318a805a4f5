import { type LinkedController, linkedController, withDeadline } from '@ha/core/driver'
import type { Answer, Tracked } from '../wire/answers.ts'
import { statusFlag } from '../wire/handshake.ts'
import type { Row, Value } from '../wire/values.ts'
import { type ServerError, serverError } from './errors.ts'
import type { Server } from './server.ts'
import { gtidOf } from './store.ts'
import { type Access, Transaction } from './transaction.ts'
import { numberOf } from './values.ts'

/** One statement that a session runs. */
export interface Execution {
  readonly session: Session
  readonly parameters: Row
  readonly signal: AbortSignal
}

/** The dependencies of a session. */
export interface SessionDeps {
  readonly server: Server
  readonly id: number
  readonly user: string
  /** Called when another session has killed its connection. */
  readonly onKilled: () => void
}

/** The state that a server keeps for one connection. */
export class Session {
  readonly server: Server
  readonly id: number
  /** Ends its connection, as `KILL` does. */
  readonly kill: () => void
  user: string
  /** Whether `affectedRows` counts the rows found and not those changed. */
  countsFound = false
  schema: string | undefined
  transaction: Transaction | undefined
  /** Whether it obeys `wsrep_sync_wait`: in 10.11.19, a session that was reset never does again. */
  waitsForCluster = true
  lastInsertId = 0
  /** The number of the last commit of this session: 0 for none. */
  lastWritten = 0
  readonly userVariables: Map<string, Value> = new Map<string, Value>()
  readonly #variables = new Map<string, Value>()
  #statementVariables: ReadonlyMap<string, Value> = new Map()
  #tracked: readonly Tracked[] = []
  #running: LinkedController | undefined

  constructor({ server, id, user, onKilled }: SessionDeps) {
    this.server = server
    this.id = id
    this.user = user
    this.kill = onKilled
    server.add(this)
  }

  /**
   * Runs one statement, for at most `max_statement_time` and until it is killed. `variablesOf` gives the values of
   * variables that hold only for this statement.
   */
  async run(
    parameters: Row,
    variablesOf: (execution: Execution) => ReadonlyMap<string, Value>,
    work: (execution: Execution) => Promise<Answer>,
  ): Promise<Answer> {
    const running = linkedController()
    const executionOf = (signal: AbortSignal): Execution => ({ session: this, parameters, signal })
    this.#running = running
    try {
      this.#statementVariables = variablesOf(executionOf(running.signal))
      const timeoutMs = Number(numberOf(this.variable('max_statement_time') ?? 0)) * 1_000
      if (timeoutMs === 0) return await work(executionOf(running.signal))
      const expired = (): Error => serverError('statementTimeout')
      const limit = { timeoutMs, signal: running.signal, expired }
      return await withDeadline(this.server.clock, limit, (signal) => work(executionOf(signal)))
    } finally {
      running.unlink()
      this.#running = undefined
      this.#statementVariables = new Map()
    }
  }

  /** Ends the statement that runs now with an error, when one does. */
  interrupt(error: ServerError): void {
    this.#running?.abort(error)
  }

  /** A variable as this session has it; undefined when there is none of that name. */
  variable(name: string): Value | undefined {
    if (name === 'last_gtid') return this.#lastGtid
    return this.#statementVariables.get(name) ?? this.#variables.get(name) ?? this.server.variable(name)
  }

  // Galera numbers its commits apart from those of the binary log.
  get #lastGtid(): string {
    const hasNone = this.lastWritten === 0 || this.server.variable('wsrep_on') === 'ON'
    return hasNone ? '' : gtidOf(this.lastWritten)
  }

  /** Sets a variable; undefined takes the server's. */
  setVariable(name: string, value: Value | undefined): void {
    if (value === undefined) this.#variables.delete(name)
    else this.#variables.set(name, value)
    const tracked = String(this.variable('session_track_system_variables')).split(',')
    if (tracked.includes(name)) this.track({ kind: 'variable', name, value: String(this.variable(name)) })
  }

  get isAutocommit(): boolean {
    return this.variable('autocommit') !== 'OFF'
  }

  /** The bits of {@link statusFlag} that go with every answer. */
  get status(): number {
    const { transaction } = this
    const inTransaction = transaction === undefined ? 0 : statusFlag.inTransaction
    const readOnly = transaction?.access === 'read-only' ? statusFlag.inReadOnlyTransaction : 0
    return inTransaction | readOnly | (this.isAutocommit ? statusFlag.autocommit : 0)
  }

  /** Adds a change of the session's state to the next answer. */
  track(tracked: Tracked): void {
    this.#tracked = [...this.#tracked, tracked]
  }

  /** The changes of the session's state that the next answer carries. */
  takeTracked(): readonly Tracked[] {
    const tracked = this.#tracked
    this.#tracked = []
    return tracked
  }

  /** Begins a transaction with this access, or the session's. */
  begin(access: Access | undefined): Transaction {
    const usual = this.variable('tx_read_only') === 'ON' ? 'read-only' : 'read-write'
    this.transaction = new Transaction(access ?? usual)
    return this.transaction
  }

  /** Undoes what is not committed. */
  rollback(): void {
    const { transaction } = this
    this.transaction = undefined
    if (transaction !== undefined) this.server.locks.end(transaction)
  }

  /** Resets everything but the schema. */
  reset(): void {
    this.waitsForCluster = false
    this.rollback()
    this.#variables.clear()
    this.userVariables.clear()
    this.lastInsertId = 0
    this.#tracked = []
  }

  /** Ends the session: its client or its server is gone. */
  end(): void {
    this.#running?.abort(serverError('connectionKilled'))
    this.rollback()
    this.server.remove(this)
  }
}
