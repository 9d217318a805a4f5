import { AsyncLocalStorage } from 'node:async_hooks'
import { createPool, type Pool as GenericPool } from 'generic-pool'
import type { Endpoint } from '../address/endpoint.ts'
import { type ConnectionSignal, openWithin } from '../driver.ts'
import { asError, detachStack, type HaError } from '../errors/ha-error.ts'
import { leaseEndedError } from '../lease.ts'
import { fullJitter } from '../policy/backoff.ts'
import {
  afterDialFailure,
  afterDialStart,
  type CircuitBreaker,
  closedBreaker,
  waitBeforeDial,
} from '../policy/breaker.ts'
import { expectManyWaiters, linkedController } from '../util/abort.ts'
import { Notifier } from '../util/notifier.ts'
import type { PoolOptions } from './pool-options.ts'

interface GenerationDeps<C> extends ConnectionFactoryDeps<C> {
  readonly options: PoolOptions<C, unknown>
  /** `host:port`. */
  readonly name: string
  readonly number: number
  /** Called in the turn in which one connection ends before its generation does. */
  readonly onLost: (pooled: PooledConnection<C>, error: Error) => void
}

// As in HikariCP, up to 2.5 % jitter: connections that were opened together do not retire together.
const lifetimeSpread = 0.025

/**
 * The connections to one endpoint while it is usable: from `up` to `down`. Each generation has a generic-pool of its
 * own, which gets no more requests than it has room for and whose factory never rejects: generic-pool retries a
 * factory that rejects at once in a busy loop.
 */
export class Generation<C> {
  readonly number: number
  readonly #deps: GenerationDeps<C>
  readonly #scope = linkedController()
  readonly #factory: ConnectionFactory<C>
  readonly #all = new Set<PooledConnection<C>>()
  // The first caller of a connection is not the last.
  readonly #inOwnContext = AsyncLocalStorage.snapshot()
  readonly #pool: GenericPool<PooledConnection<C>>
  // Last in, first out: few connections stay in use, and the rest reach their idle timeout.
  readonly #idle: PooledConnection<C>[] = []

  constructor(deps: GenerationDeps<C>) {
    this.number = deps.number
    this.#deps = deps
    this.#factory = new ConnectionFactory(deps)
    const { max, min } = deps.options.size
    const factory = {
      create: () => this.#inOwnContext(() => this.#create()),
      destroy: (pooled: PooledConnection<C>) => this.#destroy(pooled),
    }
    this.#pool = createPool(factory, { max, min, fifo: false })
  }

  /** Why the last dial failed, until one succeeds. */
  get lastError(): Error | undefined {
    return this.#factory.lastError
  }

  get idle(): number {
    return this.#pool.available + this.#idle.length
  }

  /** The number of dials under way. */
  get connecting(): number {
    return this.#factory.connecting
  }

  /** How many more connections may be acquired. */
  get room(): number {
    return this.#pool.max - this.#pool.borrowed - this.#pool.pending + this.#idle.length
  }

  /** The number of connections, including those that are being opened. */
  get size(): number {
    return this.#pool.size
  }

  /** Fires when the generation ends. */
  get signal(): AbortSignal {
    return this.#scope.signal
  }

  /** Takes an idle connection that was in use before; undefined when there is none. */
  take(): PooledConnection<C> | undefined {
    return this.#idle.pop()
  }

  /** Resolves with an idle connection or a new one; never settles when the generation ends first. */
  acquire(): Promise<PooledConnection<C>> {
    const pooled = this.take()
    // generic-pool keeps its promise for as long as the connection is open.
    return pooled === undefined ? this.#inOwnContext(() => this.#pool.acquire()) : Promise.resolve(pooled)
  }

  /** Makes a connection idle that was taken or acquired. */
  release(pooled: PooledConnection<C>): void {
    if (this.#all.has(pooled)) this.#idle.push(pooled)
  }

  /** Removes a connection that was taken or acquired and has ended. */
  discard(pooled: PooledConnection<C>): void {
    if (this.#pool.isBorrowedResource(pooled)) void this.#pool.destroy(pooled)
  }

  /** Ends the connections that match at once; the owner of each discards it. */
  endWhere(matches: (connection: C) => boolean, error: Error): void {
    const reason = leaseEndedError(this.#deps.name, error)
    for (const pooled of this.#all) if (matches(pooled.connection)) pooled.end(reason)
  }

  /** Ends every connection at once, and those that are being opened as soon as they arrive. */
  end(error: Error): void {
    if (this.signal.aborted) return
    const reason = leaseEndedError(this.#deps.name, error)
    this.#scope.abort(reason)
    for (const pooled of this.#all) pooled.end(reason)
    this.#all.clear()
    this.#idle.length = 0
  }

  #create(): Promise<PooledConnection<C>> {
    const created = this.#factory.create(this.signal).then((connection) => this.#track(connection))
    // The generation has ended. A rejection would make generic-pool dial again, so the promise stays pending.
    return created.catch(() => new Promise<never>(() => undefined))
  }

  #track(connection: C): PooledConnection<C> {
    const { driver, clock, random, idle } = this.#deps.options
    const scope = linkedController()
    expectManyWaiters(scope.signal)
    let unwatch = (): void => undefined
    const nowMs = clock.now()
    const pooled: PooledConnection<C> = {
      connection,
      signal: scope.signal,
      retireAtMs: nowMs + idle.maxLifetimeMs * (1 - lifetimeSpread * random()),
      idleSinceMs: nowMs,
      end: (reason) => {
        if (scope.signal.aborted) return
        unwatch()
        scope.abort(reason)
        driver.destroy(connection)
      },
    }
    this.#all.add(pooled)
    unwatch = driver.watch(connection, (signal) => this.#onSignal(pooled, signal))
    // The connection or the generation can end before the driver reports anything.
    if (this.signal.aborted) pooled.end(this.signal.reason as HaError)
    if (pooled.signal.aborted) unwatch()
    return pooled
  }

  #onSignal(pooled: PooledConnection<C>, signal: ConnectionSignal): void {
    if (signal.kind !== 'lost' || pooled.signal.aborted) return
    pooled.end(leaseEndedError(this.#deps.name, signal.error))
    this.#deps.onLost(pooled, signal.error)
  }

  #destroy(pooled: PooledConnection<C>): Promise<void> {
    this.#all.delete(pooled)
    return Promise.resolve()
  }
}

/** One connection of a pool, from its handshake to its end. */
export interface PooledConnection<C> {
  readonly connection: C
  /** Fires when the connection ends. */
  readonly signal: AbortSignal
  /** Ends the connection at once; only the first call has an effect. */
  readonly end: (reason: HaError) => void
  /** Clock time after which it is not checked out any more. */
  readonly retireAtMs: number
  /** Clock time at which it was last known to be valid: opened, released or probed. */
  idleSinceMs: number
}

interface ConnectionFactoryDeps<C> {
  readonly endpoint: Endpoint
  readonly options: Pick<PoolOptions<C, unknown>, 'driver' | 'clock' | 'random' | 'connect'>
  /** Called with each failed dial, before the pause that follows. */
  readonly onFailed: (error: Error) => void
}

/**
 * Opens connections to one endpoint: at most `connect.parallel` at a time, and after a failure a single dial after each
 * pause.
 */
class ConnectionFactory<C> {
  readonly #deps: ConnectionFactoryDeps<C>
  readonly #changed = new Notifier()
  #breaker: CircuitBreaker = closedBreaker
  #connecting = 0

  constructor(deps: ConnectionFactoryDeps<C>) {
    this.#deps = deps
  }

  /** The number of dials under way. */
  get connecting(): number {
    return this.#connecting
  }

  /** Why the last dial failed, until one succeeds. */
  get lastError(): Error | undefined {
    return this.#breaker.kind === 'closed' ? undefined : this.#breaker.error
  }

  /** Opens a connection, however long that takes. Rejects only with the signal's reason. */
  async create(signal: AbortSignal): Promise<C> {
    for (;;) {
      const waitMs = this.#waitMs()
      if (waitMs > 0) await this.#pause(waitMs, signal)
      else {
        const connection = await this.#try(signal)
        if (connection !== undefined) return connection
      }
    }
  }

  #waitMs(): number {
    const { connect, clock } = this.#deps.options
    if (this.#connecting >= connect.parallel) return Number.POSITIVE_INFINITY
    return waitBeforeDial(this.#breaker, clock.now())
  }

  async #try(signal: AbortSignal): Promise<C | undefined> {
    const { endpoint, options, onFailed } = this.#deps
    const { timeoutMs, backoff } = options.connect
    signal.throwIfAborted()
    this.#connecting += 1
    this.#breaker = afterDialStart(this.#breaker)
    try {
      const connection = await openWithin(options, endpoint, { timeoutMs, signal })
      this.#breaker = closedBreaker
      return connection
    } catch (thrown) {
      signal.throwIfAborted()
      const error = detachStack(asError(thrown))
      const failure = {
        error,
        nowMs: options.clock.now(),
        delayMs: fullJitter(backoff),
        random: options.random,
      }
      this.#breaker = afterDialFailure(this.#breaker, failure)
      onFailed(error)
      return undefined
    } finally {
      this.#connecting -= 1
      this.#changed.notifyAll()
    }
  }

  // Until the time has passed or a dial has ended.
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms === Number.POSITIVE_INFINITY) return this.#changed.wait(signal)
    const cancel = this.#deps.options.clock.after(ms, () => this.#changed.notifyAll())
    try {
      await this.#changed.wait(signal)
    } finally {
      cancel()
    }
  }
}
