import { type LinkedController, linkedController, withDeadline } from '@ha/core/driver'
import { type Parsed, parse } from '../sql/parse.ts'
import type { Access } from '../sql/statement.ts'
import type { Answer, Tracked } from '../wire/answer.ts'
import { statusFlag } from '../wire/flags.ts'
import type { Row, Value } from '../wire/value.ts'
import { numberOf } from './compare.ts'
import { gtidOf } from './gtid.ts'
import { Refusal } from './refusal.ts'
import { refusals } from './refusals.ts'
import type { Run } from './run.ts'
import { runStatement } from './run-statement.ts'
import type { Server } from './server.ts'
import { valuesFor } from './set-variables.ts'
import { Transaction } from './transaction.ts'

/** What a session is made of. */
export interface SessionEnds {
  readonly server: Server
  readonly id: number
  readonly user: string
  /** Somebody has killed its connection. */
  readonly onKilled: () => void
}

/** One client of a server, as the server's SQL knows it. */
export class Session {
  readonly server: Server
  readonly id: number
  /** Ends its connection, as `KILL` does. */
  readonly kill: () => void
  user: string
  /** Whether it counts the rows that fit and not those that change. */
  countsFound = false
  schema: string | undefined
  transaction: Transaction | undefined
  /** How the next transaction begins, when that was said. */
  nextAccess: Access | undefined
  /** Whether it heeds `wsrep_sync_wait`: as of 10.11.19, one that was reset never does again. */
  waitsForCluster = true
  lastInsertId = 0
  /** The number of the last commit of this session: 0 for none. */
  lastWritten = 0
  readonly userVariables: Map<string, Value> = new Map<string, Value>()
  readonly #variables = new Map<string, Value>()
  #forStatement: ReadonlyMap<string, Value> = new Map()
  #tracked: readonly Tracked[] = []
  #running: LinkedController | undefined

  constructor({ server, id, user, onKilled }: SessionEnds) {
    this.server = server
    this.id = id
    this.user = user
    this.kill = onKilled
    server.add(this)
  }

  /** Runs a statement and answers it. Never rejects: a refusal is an answer. */
  async execute(sql: string, parameters: Row): Promise<Answer> {
    try {
      const parsed = parse(sql)
      if (parsed === undefined) throw refusals.notUnderstood(sql)
      return await this.#run(parsed, parameters)
    } catch (error) {
      if (error instanceof Refusal) return error.answer
      throw error
    }
  }

  /** Ends what it does now with a refusal, when it does something. */
  interrupt(refusal: Refusal): void {
    this.#running?.abort(refusal)
  }

  /** A variable as this session has it; undefined when there is none of that name. */
  variable(name: string): Value | undefined {
    if (name === 'last_gtid') return this.#lastGtid
    return this.#forStatement.get(name) ?? this.#variables.get(name) ?? this.server.variable(name)
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

  /** Notes what the next answer tells the client. */
  track(tracked: Tracked): void {
    this.#tracked = [...this.#tracked, tracked]
  }

  /** What the client is to be told now. */
  takeTracked(): readonly Tracked[] {
    const tracked = this.#tracked
    this.#tracked = []
    return tracked
  }

  /** Begins a transaction, of whatever kind was said or is usual. */
  begin(access: Access | undefined): Transaction {
    const usual = this.variable('tx_read_only') === 'ON' ? 'read-only' : 'read-write'
    this.transaction = new Transaction(access ?? this.nextAccess ?? usual)
    this.nextAccess = undefined
    return this.transaction
  }

  /** Forgets what is not committed. */
  rollback(): void {
    const { transaction } = this
    this.transaction = undefined
    if (transaction !== undefined) this.server.locks.end(transaction)
  }

  /** Is as new, but for its schema. */
  reset(): void {
    this.waitsForCluster = false
    this.rollback()
    this.#variables.clear()
    this.userVariables.clear()
    this.nextAccess = undefined
    this.lastInsertId = 0
    this.#tracked = []
  }

  /** The client is gone, or the server. */
  end(): void {
    this.#running?.abort(refusals.killed())
    this.rollback()
    this.server.remove(this)
  }

  async #run({ statement, variables }: Parsed, parameters: Row): Promise<Answer> {
    const running = linkedController()
    const runOf = (signal: AbortSignal): Run => ({ session: this, parameters, signal })
    this.#running = running
    this.#forStatement = valuesFor(runOf(running.signal), variables)
    const limitMs = Number(numberOf(this.variable('max_statement_time') ?? 0)) * 1_000
    const work = (signal: AbortSignal): Promise<Answer> => runStatement(runOf(signal), statement)
    try {
      if (limitMs === 0) return await work(running.signal)
      const limit = { timeoutMs: limitMs, signal: running.signal, expired: refusals.outOfTime }
      return await withDeadline(this.server.clock, limit, work)
    } finally {
      running.unlink()
      this.#running = undefined
      this.#forStatement = new Map()
    }
  }
}
