import { AsyncLocalStorage } from 'node:async_hooks'
import {
  Budget,
  type Clock,
  type Events,
  formatEndpoint,
  fullJitter,
  HaError,
  type HostHealth,
  Pool,
  type PoolDriver,
  type PoolHealth,
  type PoolOptions,
  run,
  systemClock,
} from '@ha/core'
import { asError, Emitter, requireFactory, sameEndpoint } from '@ha/core/driver'
import { batchOf, checkCallback, checkSessionUse, statementOf } from './arguments.ts'
import { CommitLog, type TransactionOutcome } from './commit-log.ts'
import type { ClientContext } from './context.ts'
import { type Result, resultOf } from './driver/codec.ts'
import type { MariadbConnection } from './driver/connection.ts'
import { mariadbDriver } from './driver/driver.ts'
import { classify } from './driver/error-classification.ts'
import type { MariadbStatus } from './driver/server-status.ts'
import type { Args, ColumnMeta, PositionalRow, Row } from './driver/statement.ts'
import { MariadbError, toMariadbError } from './errors.ts'
import {
  type CallLimits,
  type CallOptions,
  checkToken,
  defaultCall,
  limitOptionNames,
  type ResolvedCall,
  type RowsAsArrayOptions,
  resolveCall,
  resolveTransactionOptions,
  type TransactionOptions,
  unrepeatableOptionNames,
} from './options/call-options.ts'
import { type MariadbOptions, resolveMariadbOptions, type UrlOverrides } from './options/options.ts'
import type { Mode, ResolvedOptions } from './options/resolved-options.ts'
import { ReadYourWrites } from './read-your-writes.ts'
import { routeRules } from './routing/route.ts'
import { Router } from './routing/router.ts'
import { runInSession, type Session } from './session.ts'
import { CurrentLease, OperationRunner } from './statement/operation-runner.ts'
import { StatementKiller } from './statement/statement-killer.ts'
import { Statements } from './statement/statements.ts'
import { type RowStream, rowStreamOf, streamRows } from './statement/stream.ts'
import { TransactionRunner } from './transaction/runner.ts'
import type { Transaction } from './transaction/transaction.ts'
import { type MariadbEvents, type WriterChange, WriterMonitor } from './writer-monitor.ts'

/**
 * The result of `drain()` or `close()`: how many leased connections were returned in time, and how many were left.
 */
export interface DrainReport {
  readonly returned: number
  readonly left: number
}

/**
 * Creates a client of a MariaDB server, of a Galera cluster, or of a primary with its replicas. Takes the JDBC URL of
 * a Java service unchanged, or options; `more` adds to a URL the options that it cannot express. Returns at once; the
 * first call opens the first connection. Throws `config-invalid` for an invalid option.
 */
export function createMariadb(options: MariadbOptions): Mariadb
export function createMariadb(url: string, more?: UrlOverrides): Mariadb
export function createMariadb(options: string | MariadbOptions, more?: UrlOverrides): Mariadb {
  return new Mariadb(resolveMariadbOptions(options, more), {
    clock: systemClock,
    random: Math.random,
    driver: mariadbDriver,
  })
}

/**
 * A client with one connection pool for each server. Each call ends with a known outcome, or with the outcome
 * `unknown`.
 */
export class Mariadb implements AsyncDisposable {
  readonly #options: ResolvedOptions
  readonly #components: ClientComponents
  // The defaults of calls without options.
  readonly #writeDefaults: ResolvedCall
  readonly #readDefaults: ResolvedCall
  readonly #lifetime = new AbortController()
  // The first call starts what serves all calls.
  readonly #inOwnContext = AsyncLocalStorage.snapshot()
  #started = false

  constructor(options: ResolvedOptions, deps: MariadbDeps) {
    requireFactory(deps, 'createMariadb')
    this.#options = options
    this.#components = createComponents(options, deps, this.#lifetime.signal)
    this.#writeDefaults = defaultCall(options)
    this.#readDefaults = { ...this.#writeDefaults, route: 'replica' }
  }

  /** The events of the client: `failover`, `quorumLost`, `outcomeUnknown`, `leak` and others. */
  get events(): Events<MariadbEvents> {
    return this.#components.events
  }

  /**
   * Resolves when a server accepts writes and, with `commitLog.create`, the table of the commit log exists. Rejects
   * with the reason after `timeoutMs`, 30 s by default; the client keeps trying to connect in either case.
   */
  async ready(options: CallLimits = {}): Promise<void> {
    this.#start()
    const { timeoutMs, signal } = resolveCall('ready', options, this.#writeDefaults, limitOptionNames)
    const { context, commitLog } = this.#components
    const untilMs = context.clock.now() + timeoutMs
    const runner = new OperationRunner(context, { target: 'primary', timeoutMs, classify })
    try {
      await run(runner, { name: 'ready', timeoutMs, signal, repeatable: true }, () => Promise.resolve())
      await commitLog?.prepare({ timeoutMs: Math.max(1, untilMs - context.clock.now()), signal })
    } catch (error) {
      throw toMariadbError(error)
    }
  }

  /** Runs one statement in the text protocol, in autocommit mode. */
  query<T extends PositionalRow = PositionalRow>(
    sql: string,
    args: Args | undefined,
    options: RowsAsArrayOptions,
  ): Promise<Result<T>>
  query<T = Row>(sql: string, args?: Args, options?: CallOptions): Promise<Result<T>>
  query<T>(sql: string, args?: Args, options?: CallOptions | RowsAsArrayOptions): Promise<Result<T>> {
    this.#start()
    return this.#components.statements.run('query', () => statementOf('query', 'text', sql, args), options)
  }

  /** Runs one prepared statement, in autocommit mode. */
  execute<T extends PositionalRow = PositionalRow>(
    sql: string,
    args: Args | undefined,
    options: RowsAsArrayOptions,
  ): Promise<Result<T>>
  execute<T = Row>(sql: string, args?: Args, options?: CallOptions): Promise<Result<T>>
  execute<T>(sql: string, args?: Args, options?: CallOptions | RowsAsArrayOptions): Promise<Result<T>> {
    this.#start()
    return this.#components.statements.run(
      'execute',
      () => statementOf('execute', 'prepared', sql, args),
      options,
    )
  }

  /** Runs one statement for many rows, in one transaction: all rows are written, or none. */
  async batch(sql: string, rows: readonly Args[], options?: TransactionOptions): Promise<Result> {
    const statement = batchOf('batch', sql, rows)
    return this.#runTransaction('batch', async (tx) => resultOf(await tx.run(statement)), options, false)
  }

  /**
   * Streams the rows of a query at the pace of the consumer. After the first row the stream is never resumed on
   * another server.
   */
  stream<T extends PositionalRow = PositionalRow>(
    sql: string,
    args: Args | undefined,
    options: RowsAsArrayOptions,
  ): RowStream<T>
  stream<T = Row>(sql: string, args?: Args, options?: CallOptions): RowStream<T>
  stream<T>(sql: string, args?: Args, options?: CallOptions | RowsAsArrayOptions): RowStream<T> {
    return rowStreamOf((found) => this.#stream(sql, args, options, found))
  }

  // Begins, and refuses wrong arguments, when the first row is asked for.
  async *#stream(
    sql: string,
    args: Args | undefined,
    options: CallOptions | RowsAsArrayOptions | undefined,
    found: (meta: readonly ColumnMeta[]) => void,
  ): AsyncGenerator<Row, void> {
    this.#start()
    const call = resolveCall('stream', options, this.#writeDefaults)
    const { context } = this.#components
    const statement = { ...statementOf('stream', 'text', sql, args), rowsAsArray: call.rowsAsArray }
    checkSessionUse('stream', statement, (text) => context.outcomes.warn(text))
    yield* streamRows(context, statement, call, found)
  }

  /**
   * Runs `fn` between BEGIN and COMMIT. Runs it again when a conflict or the loss of the server rolled the
   * transaction back before COMMIT. Rejects with `outcome: 'unknown'` when the answer to COMMIT was lost and the
   * outcome cannot be determined.
   */
  transaction<R>(fn: (transaction: Transaction) => Promise<R>, options?: TransactionOptions): Promise<R> {
    return this.#runTransaction('transaction', fn, options, false)
  }

  /** As {@link transaction}, for reading one snapshot, on a replica when one is available. */
  readOnly<R>(fn: (transaction: Transaction) => Promise<R>, options?: TransactionOptions): Promise<R> {
    return this.#runTransaction('readOnly', fn, options, true)
  }

  /** Runs `fn` with one server session, for locks, temporary tables and variables. The callback is never repeated. */
  async session<R>(
    fn: (session: Session) => Promise<R>,
    options?: Omit<CallOptions, 'repeatable' | 'rowsAsArray'>,
  ): Promise<R> {
    checkCallback('session', fn)
    this.#start()
    const call = resolveCall('session', options, this.#writeDefaults, unrepeatableOptionNames)
    const { context } = this.#components
    return runInSession(context, call, fn)
  }

  /**
   * The outcome of the transaction with this token, also of a transaction of another process: `committed` or
   * `rolled-back`. A transaction that is reported as rolled back can never commit afterwards. Requires `commitLog`.
   * Rejects when no server can tell.
   */
  async resolve(token: string, options?: CallLimits): Promise<TransactionOutcome> {
    this.#start()
    const { commitLog, writerMonitor } = this.#components
    const call = resolveCall('resolve', options, this.#writeDefaults, limitOptionNames)
    checkToken(token, 'resolve')
    if (commitLog === undefined)
      throw new MariadbError('config-invalid', 'resolve: needs the option `commitLog`')
    const outcome = await commitLog.resolve(token, call)
    writerMonitor.reportResolvedOutcome(token, outcome)
    return outcome
  }

  /** A snapshot of the client's state, as plain data. */
  health(): MariadbHealth {
    const { pool } = this.#components.context
    const routing = this.#components.writerMonitor.route()
    const [first] = routing.kind === 'go' ? routing.endpoints : []
    return combineHealth(pool.health(), {
      mode: this.#options.mode,
      writer: first === undefined ? undefined : formatEndpoint(first),
      reason: routing.kind === 'none' ? routing.error.message : undefined,
      lastFailover: this.#components.writerMonitor.lastFailover,
    })
  }

  /**
   * Stops leasing connections and waits up to `timeoutMs` (default 10 000) for the return of those in use. Operations
   * that hold a connection can finish; operations that need another one fail. Never rejects; idempotent.
   */
  drain({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    return this.#components.context.pool.drain(timeoutMs)
  }

  /** Drains, then closes all connections, within `timeoutMs` (default 5 000) in total. Never rejects; idempotent. */
  async close({ timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    const report = await this.#components.context.pool.close(timeoutMs)
    this.#lifetime.abort(new HaError('closed', 'the client is closed'))
    return report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #runTransaction<R>(
    name: string,
    fn: (transaction: Transaction) => Promise<R>,
    options: TransactionOptions | undefined,
    readOnly: boolean,
  ): Promise<R> {
    checkCallback(name, fn)
    this.#start()
    const defaults = readOnly ? this.#readDefaults : this.#writeDefaults
    const request =
      options === undefined ? { call: defaults } : resolveTransactionOptions(name, options, defaults)
    return this.#components.transactions.run({ name, fn, readOnly, ...request })
  }

  // The first call starts the pool: an unused client opens no connection.
  #start(): void {
    if (this.#started) return
    this.#started = true
    this.#inOwnContext(() => this.#run())
  }

  #run(): void {
    this.#components.context.pool.start()
    // Rejects when the client is closed; any other rejection is a defect of this package and is reported.
    this.#components.writerMonitor.follow(this.#lifetime.signal).catch((error: unknown) => {
      if (!this.#lifetime.signal.aborted)
        this.#components.writerMonitor.warn(`internal: ${asError(error).message}`)
    })
    for (const text of this.#options.warnings) this.#components.writerMonitor.warn(text)
  }
}

/** Injectable dependencies of a client; replaced in tests. */
interface MariadbDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly driver: (options: ResolvedOptions) => PoolDriver<MariadbConnection, MariadbStatus>
}

/** The parts of one client. */
interface ClientComponents {
  readonly events: Emitter<MariadbEvents>
  readonly context: ClientContext
  readonly commitLog: CommitLog | undefined
  readonly statements: Statements
  readonly transactions: TransactionRunner
  readonly writerMonitor: WriterMonitor
}

/** Creates the parts of a client. No connection is opened before the pool is started. */
function createComponents(
  options: ResolvedOptions,
  deps: MariadbDeps,
  signal: AbortSignal,
): ClientComponents {
  const { clock, random } = deps
  const events = new Emitter<MariadbEvents>()
  const driver = deps.driver(options)
  const pool = new Pool<MariadbConnection, MariadbStatus>(poolOptions(options, deps, driver))
  const router = new Router({ rules: routeRules(options), afterMs: options.failBack.afterMs, clock, random })
  const writerMonitor = new WriterMonitor({ pool, router, options, events })
  const context: ClientContext = {
    pool,
    router,
    clock,
    random,
    acquireTimeoutMs: options.pool.acquireTimeoutMs,
    retryBudget: retryBudget(options),
    currentLease: new CurrentLease(),
    readYourWrites: new ReadYourWrites(options.consistency !== 'eventual', clock, (connection) =>
      isGalera(pool, connection) ? 'galera' : 'replication',
    ),
    outcomes: writerMonitor,
    killer: new StatementKiller({ driver, clock, signal, warn: (text) => writerMonitor.warn(text) }),
  }
  const commitLog = options.commitLog === undefined ? undefined : new CommitLog(context, options.commitLog)
  const statements = new Statements(context, defaultCall(options))
  const transactions = new TransactionRunner({
    context,
    commitLog,
    maxRetries: options.retry.attempts,
    backoff: fullJitter(options.retry),
  })
  return { events, context, commitLog, statements, transactions, writerMonitor }
}

// When a server dies, every operation that ran on it may be repeated once, and once more after that.
function retryBudget({ pool, hosts }: ResolvedOptions): Budget {
  return new Budget({ burst: 2 * pool.maximumSize * hosts.length, refill: 0.1 })
}

function isGalera(
  pool: Pool<MariadbConnection, MariadbStatus>,
  { endpoint }: Pick<MariadbConnection, 'endpoint'>,
): boolean {
  const member = pool.view.members.find((each) => sameEndpoint(each.endpoint, endpoint))
  return member?.reading?.galera !== undefined
}

/** The options of the connection pool. */
function poolOptions(
  options: ResolvedOptions,
  { clock, random }: MariadbDeps,
  driver: PoolDriver<MariadbConnection, MariadbStatus>,
): PoolOptions<MariadbConnection, MariadbStatus> {
  const { pool, monitor, failBack } = options
  return {
    name: options.name,
    driver,
    endpoints: options.hosts.map(({ endpoint }) => endpoint),
    clock,
    random,
    size: { max: pool.maximumSize, min: pool.minimumIdle, maxWaiting: pool.maxWaiting },
    connect: { timeoutMs: pool.connectTimeoutMs, parallel: pool.parallelConnects, backoff: connectBackoff },
    idle: {
      validateAfterMs,
      validateTimeoutMs: Math.min(pool.validationTimeoutMs, maxValidationMs),
      keepaliveMs: pool.keepaliveMs,
      timeoutMs: pool.idleTimeoutMs,
      maxLifetimeMs: pool.maxLifetimeMs,
    },
    monitor: { ...monitor, probationMs: failBack.afterMs, retryMs },
    leakAfterMs: pool.leakDetectionMs === 0 ? Number.POSITIVE_INFINITY : pool.leakDetectionMs,
  }
}

// HikariCP's bypass window: a connection that answered within the last 500 ms is leased without validation.
const validateAfterMs = 500

// An acquire waits for the validation too. The monitor decides about a server that needs longer.
const maxValidationMs = 1_000

const connectBackoff = { baseMs: 100, maxMs: 2_000 }

// Interval between connection attempts to a server that is down; half of it is random.
const retryMs = 1_000

/** A snapshot of a client's state, as plain data without secrets. */
export interface MariadbHealth {
  /** `ready`: a server accepts writes. `idle`: no call was made yet. */
  readonly state: 'idle' | 'ready' | 'waiting' | 'draining' | 'closed'
  readonly mode: Mode
  /** The server that receives writes at this moment, as `host:port`. */
  readonly writer: string | undefined
  /** Why there is no writer. */
  readonly reason: string | undefined
  readonly hosts: readonly HostHealth<MariadbStatus>[]
  readonly lastFailover: Omit<WriterChange, 'error'> | undefined
}

/** Combines the health of the pool with the current writer. */
function combineHealth(
  pool: PoolHealth<MariadbStatus>,
  rest: Pick<MariadbHealth, 'mode' | 'writer' | 'reason' | 'lastFailover'>,
): MariadbHealth {
  const state = pool.state !== 'open' ? pool.state : rest.writer === undefined ? 'waiting' : 'ready'
  return { state, hosts: pool.hosts, ...rest }
}
