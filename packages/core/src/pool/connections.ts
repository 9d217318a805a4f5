import { createPool, type Pool as GenericPool } from 'generic-pool'
import type { Endpoint } from '../address/endpoint.ts'
import { type ConnectionSignal, openWithin } from '../driver.ts'
import { asError, detachStack, type HaError } from '../errors/ha-error.ts'
import { leaseEnded } from '../lease.ts'
import { fullJitter } from '../policy/backoff.ts'
import { type Breaker, closedBreaker, dialBegun, dialFailed, waitBeforeDial } from '../policy/breaker.ts'
import { expectManyWaiters, linkedController } from '../util/abort.ts'
import { Notifier } from '../util/notifier.ts'
import type { PoolOptions } from './pool-options.ts'

interface GenerationDeps<C> extends ConnectionFactoryDeps<C> {
  readonly options: PoolOptions<C, unknown>
  /** `host:port`. */
  readonly name: string
  readonly number: number
  /** Called within the turn in which one connection ends before its generation does. */
  readonly onLost: (pooled: PooledConnection<C>, error: Error) => void
}

// Hikari's spread: connections that were made together do not end together.
const lifetimeSpread = 0.025

/**
 * The connections to one endpoint from the moment when it becomes usable until it no longer is. They are kept by a
 * generic-pool of their own, which sees no more requests than it has room for and whose factory never rejects: given
 * a factory that rejects at once, it asks again at once and for ever.
 */
export class Generation<C> {
  readonly number: number
  readonly #deps: GenerationDeps<C>
  readonly #scope = linkedController()
  readonly #factory: ConnectionFactory<C>
  readonly #all = new Set<PooledConnection<C>>()
  readonly #pool: GenericPool<PooledConnection<C>>
  // Last in, first out: what is used stays warm, and what nobody needs grows old.
  readonly #idle: PooledConnection<C>[] = []

  constructor(parts: GenerationDeps<C>) {
    this.number = parts.number
    this.#deps = parts
    this.#factory = new ConnectionFactory(parts)
    const { max, min } = parts.options.size
    const factory = {
      create: () => this.#create(),
      destroy: (pooled: PooledConnection<C>) => this.#destroy(pooled),
    }
    this.#pool = createPool(factory, { max, min, fifo: false })
  }

  /** Why connections cannot be made at this moment. */
  get lastError(): Error | undefined {
    return this.#factory.lastError
  }

  get idle(): number {
    return this.#pool.available + this.#idle.length
  }

  /** How many are being dialled. */
  get connecting(): number {
    return this.#factory.connecting
  }

  /** How many more may be asked for. */
  get room(): number {
    return this.#pool.max - this.#pool.borrowed - this.#pool.pending + this.#idle.length
  }

  /** How many there are, with those that are being made. */
  get size(): number {
    return this.#pool.size
  }

  /** Fires when the generation is over. */
  get signal(): AbortSignal {
    return this.#scope.signal
  }

  /** Takes an idle connection that somebody has used before; undefined when there is none. */
  take(): PooledConnection<C> | undefined {
    return this.#idle.pop()
  }

  /** Resolves with an idle connection or a new one, and never when the generation ends first. */
  acquire(): Promise<PooledConnection<C>> {
    const pooled = this.take()
    return pooled === undefined ? this.#pool.acquire() : Promise.resolve(pooled)
  }

  /** Makes a connection that was taken or asked for idle. */
  release(pooled: PooledConnection<C>): void {
    if (this.#all.has(pooled)) this.#idle.push(pooled)
  }

  /** Lets go of a connection that was taken or asked for, and is over. */
  discard(pooled: PooledConnection<C>): void {
    if (this.#pool.isBorrowedResource(pooled)) void this.#pool.destroy(pooled)
  }

  /** Ends every connection at once, and those that are being made as soon as they arrive. */
  end(error: Error): void {
    if (this.signal.aborted) return
    const reason = leaseEnded(this.#deps.name, error)
    this.#scope.abort(reason)
    for (const pooled of this.#all) pooled.end(reason)
    this.#all.clear()
    this.#idle.length = 0
  }

  #create(): Promise<PooledConnection<C>> {
    const made = this.#factory.create(this.signal).then((connection) => this.#track(connection))
    // The generation has ended: generic-pool would go on asking if it heard of it, and nobody waits for it any more.
    return made.catch(() => new Promise<never>(() => undefined))
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
    unwatch = driver.watch(connection, (news) => this.#onSignal(pooled, news))
    // A connection, or its generation, can be over before it is watched.
    if (this.signal.aborted) pooled.end(this.signal.reason as HaError)
    if (pooled.signal.aborted) unwatch()
    return pooled
  }

  #onSignal(pooled: PooledConnection<C>, news: ConnectionSignal): void {
    if (news.kind !== 'lost' || pooled.signal.aborted) return
    pooled.end(leaseEnded(this.#deps.name, news.error))
    this.#deps.onLost(pooled, news.error)
  }

  #destroy(pooled: PooledConnection<C>): Promise<void> {
    this.#all.delete(pooled)
    return Promise.resolve()
  }
}

/** One connection of a pool, from its handshake to its end. */
export interface PooledConnection<C> {
  readonly connection: C
  /** Fires when the connection is over. */
  readonly signal: AbortSignal
  /** Ends the connection at once; the first call counts. */
  readonly end: (reason: HaError) => void
  /** Clock time after which it is lent no more. */
  readonly retireAtMs: number
  /** Clock time at which it last proved itself: made, given back or probed. */
  idleSinceMs: number
}

/** What is to be done with a connection that nobody has borrowed. */
type HousekeepingAction = 'keep' | 'probe' | 'retire' | 'discard'

interface HousekeepingRules {
  readonly keepaliveMs: number
  readonly timeoutMs: number
  /** Whether there are more connections than must be kept. */
  readonly surplus: boolean
}

/** Decides about one idle connection. */
export function housekeepingFor(
  pooled: PooledConnection<unknown>,
  nowMs: number,
  rules: HousekeepingRules,
): HousekeepingAction {
  const idleMs = nowMs - pooled.idleSinceMs
  if (pooled.signal.aborted) return 'discard'
  if (nowMs >= pooled.retireAtMs) return 'retire'
  if (rules.surplus && idleMs >= rules.timeoutMs) return 'retire'
  return idleMs >= rules.keepaliveMs ? 'probe' : 'keep'
}

interface ConnectionFactoryDeps<C> {
  readonly endpoint: Endpoint
  readonly options: Pick<PoolOptions<C, unknown>, 'driver' | 'clock' | 'random' | 'connect'>
  /** Called with each dial that failed, before the pause that follows. */
  readonly onFailed: (error: Error) => void
}

/**
 * Dials one endpoint for all who want a connection there: a few at a time, and after a failure one single try in each
 * pause.
 */
class ConnectionFactory<C> {
  readonly #deps: ConnectionFactoryDeps<C>
  readonly #changed = new Notifier()
  #breaker: Breaker = closedBreaker
  #connecting = 0

  constructor(deps: ConnectionFactoryDeps<C>) {
    this.#deps = deps
  }

  /** How many dials are under way. */
  get connecting(): number {
    return this.#connecting
  }

  /** Why the last dial failed, until one succeeds. */
  get lastError(): Error | undefined {
    return this.#breaker.kind === 'closed' ? undefined : this.#breaker.error
  }

  /** Resolves with a connection, however long that takes. Rejects only with the signal's reason. */
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
    this.#breaker = dialBegun(this.#breaker)
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
      this.#breaker = dialFailed(this.#breaker, failure)
      onFailed(error)
      return undefined
    } finally {
      this.#connecting -= 1
      this.#changed.notifyAll()
    }
  }

  // Until the time is over, or a dial has ended.
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
