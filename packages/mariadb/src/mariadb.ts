import { type Events, formatEndpoint, HaError, run, systemClock } from '@ha/core'
import { asError } from '@ha/core/driver'
import { type Assembly, assemble } from './assembly.ts'
import {
  type Call,
  type CallOptions,
  type Limits,
  limits,
  plainCall,
  resolveCall,
  unrepeated,
} from './call-options.ts'
import { mariadbDriver } from './driver/driver.ts'
import type { Args, Row } from './driver/statement.ts'
import { classify } from './driver/verdicts.ts'
import type { MariadbEvents } from './events.ts'
import { fromCore } from './from-driver.ts'
import { healthOf, type MariadbHealth } from './health.ts'
import type { Fate } from './ledger/resolve.ts'
import { MariadbError } from './mariadb-error.ts'
import { type BesideUrl, type MariadbOptions, resolveMariadbOptions } from './options/options.ts'
import type { ResolvedOptions } from './options/resolved.ts'
import type { MariadbParts } from './parts.ts'
import { preparedStatement, type Result, textStatement } from './result.ts'
import type { Session } from './session/session.ts'
import { inSession } from './session/sessions.ts'
import { OperationRunner } from './statement/runner.ts'
import { streamRows } from './statement/streaming.ts'
import { checkToken, resolveTransaction, type TransactionOptions } from './transaction/options.ts'
import type { Transaction } from './transaction/transaction.ts'

/** How an end went: what came back in time, and what had to be broken off. */
export interface DrainReport {
  readonly returned: number
  readonly left: number
}

/**
 * A client of a MariaDB server, of a Galera cluster, or of a primary with its replicas. Takes the JDBC URL of a Java
 * service as it is, or options; beside a URL, `more` takes what it has no words for. Returns at once; the first call
 * begins to dial. Throws `config-invalid` when an option cannot be used.
 */
export function createMariadb(options: MariadbOptions): Mariadb
export function createMariadb(url: string, more?: BesideUrl): Mariadb
export function createMariadb(options: string | MariadbOptions, more?: BesideUrl): Mariadb {
  return new Mariadb(resolveMariadbOptions(options, more), {
    clock: systemClock,
    random: Math.random,
    driver: mariadbDriver,
  })
}

/** One client: a pool for each server, and one honest answer for each call. */
export class Mariadb implements AsyncDisposable {
  readonly #options: ResolvedOptions
  readonly #parts: Assembly
  // What calls mean that say nothing of their own.
  readonly #writing: Call
  readonly #reading: Call
  readonly #life = new AbortController()
  #begun = false

  constructor(options: ResolvedOptions, parts: MariadbParts) {
    this.#options = options
    this.#parts = assemble(options, parts)
    this.#writing = plainCall(options)
    this.#reading = { ...this.#writing, route: 'replica' }
  }

  /** What happens: `failover`, `quorumLost`, `outcomeUnknown`, `leak` and others. */
  get events(): Events<MariadbEvents> {
    return this.#parts.events
  }

  /**
   * Resolves when a statement can be written and, where `ledger.create` says so, the ledger is there. Rejects by
   * default after 30 s, with the reason; the client goes on trying either way.
   */
  async ready(options: Limits = {}): Promise<void> {
    this.#begin()
    const { timeoutMs, signal } = resolveCall('ready', options, this.#writing, limits)
    const { ground, ledger } = this.#parts
    const untilMs = ground.clock.now() + timeoutMs
    const runner = new OperationRunner(ground, { asked: 'primary', timeoutMs, classify })
    try {
      await run(runner, { name: 'ready', timeoutMs, signal, repeatable: true }, () => Promise.resolve())
      await ledger?.prepare({ timeoutMs: Math.max(1, untilMs - ground.clock.now()), signal })
    } catch (error) {
      throw fromCore(error)
    }
  }

  /** Runs one statement in the text protocol. It commits by itself. */
  query<T = Row>(sql: string, args?: Args, options?: CallOptions): Promise<Result<T>> {
    this.#begin()
    return this.#parts.statements.run('query', textStatement(sql, args), options)
  }

  /** Runs one prepared statement. It commits by itself. */
  execute<T = Row>(sql: string, args?: Args, options?: CallOptions): Promise<Result<T>> {
    this.#begin()
    return this.#parts.statements.run('execute', preparedStatement(sql, args), options)
  }

  /** Runs one statement for many rows, in a transaction of its own: all of them, or none. */
  batch(sql: string, rows: readonly Args[], options?: TransactionOptions): Promise<Result> {
    return this.#transact('batch', (transaction) => transaction.batch(sql, rows), options, false)
  }

  /** Streams the rows of a query as fast as they are taken; never resumed on another server after the first row. */
  async *stream<T = Row>(sql: string, args?: Args, options?: CallOptions): AsyncGenerator<T, void> {
    this.#begin()
    const call = resolveCall('stream', options, this.#writing)
    const { ground, causality } = this.#parts
    yield* streamRows(ground, causality, { kind: 'text', sql, args }, call) as AsyncGenerator<T, void>
  }

  /**
   * Runs `fn` between BEGIN and COMMIT, and all of it again when a conflict or the loss of the server undid it before
   * COMMIT. Rejects with `outcome: 'unknown'` when the answer of COMMIT was lost and nobody can say what happened.
   */
  transaction<R>(fn: (transaction: Transaction) => Promise<R>, options?: TransactionOptions): Promise<R> {
    return this.#transact('transaction', fn, options, false)
  }

  /** As {@link transaction}, for reading one state of the data, on a replica where there is one. */
  readOnly<R>(fn: (transaction: Transaction) => Promise<R>, options?: TransactionOptions): Promise<R> {
    return this.#transact('readOnly', fn, options, true)
  }

  /** Lends one server session to `fn`, for what needs one: locks, temporary tables, variables. Nothing is run again. */
  async session<R>(
    fn: (session: Session) => Promise<R>,
    options?: Omit<CallOptions, 'repeatable'>,
  ): Promise<R> {
    this.#begin()
    const call = resolveCall('session', options, this.#writing, unrepeated)
    const { ground, holding, causality } = this.#parts
    return inSession(ground, holding, causality, call, fn)
  }

  /**
   * What became of the transaction with this token, also of one that another process began: `committed`, or
   * `rolled-back`, and then it can never commit any more. Needs `ledger`. Rejects when no server can say.
   */
  async resolve(token: string, options?: Limits): Promise<Fate> {
    this.#begin()
    const { ledger, watching } = this.#parts
    const call = resolveCall('resolve', options, this.#writing, limits)
    checkToken(token, 'resolve')
    if (ledger === undefined) throw new MariadbError('config-invalid', 'resolve: needs the option `ledger`')
    const fate = await ledger.resolve(token, call)
    watching.tellResolved(token, fate)
    return fate
  }

  /** What the client believes and does, as plain data. */
  health(): MariadbHealth {
    const { pool } = this.#parts.ground
    const routing = this.#parts.watching.writer()
    const [first] = routing.kind === 'go' ? routing.endpoints : []
    return healthOf(pool.health(), {
      mode: this.#options.mode,
      writer: first === undefined ? undefined : formatEndpoint(first),
      reason: routing.kind === 'none' ? routing.error.message : undefined,
      lastFailover: this.#parts.watching.lastFailover,
    })
  }

  /**
   * Lends no more connections and waits for those that are lent, up to `timeoutMs` (default 10 000): what has one is
   * finished, what would need another one is not begun again. Never rejects; idempotent.
   */
  drain({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    return this.#parts.ground.pool.drain(timeoutMs)
  }

  /** Drains and ends all connections, all within `timeoutMs` (default 5 000). Never rejects; idempotent. */
  async close({ timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    const report = await this.#parts.ground.pool.close(timeoutMs)
    this.#life.abort(new HaError('closed', 'the client is closed'))
    return report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #transact<R>(
    name: string,
    fn: (transaction: Transaction) => Promise<R>,
    options: TransactionOptions | undefined,
    readOnly: boolean,
  ): Promise<R> {
    this.#begin()
    const order = resolveTransaction(name, options, readOnly ? this.#reading : this.#writing)
    return this.#parts.transactions.run({ name, fn, readOnly, ...order })
  }

  // The first call begins to dial: a client that is made and not used costs nothing.
  #begin(): void {
    if (this.#begun) return
    this.#begun = true
    this.#parts.ground.pool.start()
    // Ends by rejection with the life of the client; anything else is a defect of ours, which must not stay unseen.
    this.#parts.watching.follow(this.#life.signal).catch((error: unknown) => {
      if (!this.#life.signal.aborted) this.#parts.watching.warn(`internal: ${asError(error).message}`)
    })
    for (const text of this.#options.warnings) this.#parts.watching.warn(text)
  }
}
