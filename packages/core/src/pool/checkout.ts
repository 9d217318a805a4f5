import { AsyncLocalStorage } from 'node:async_hooks'
import type { Endpoint } from '../address/endpoint.ts'
import { type Lease, leaseEndedError } from '../lease.ts'
import { ActiveTime } from '../util/active-time.ts'
import type { AcquireQueue } from './acquire-queue.ts'
import { Generation, type PooledConnection } from './generation.ts'
import { housekeepingFor, prepareForReuse, retire, type ValidationResult, validate } from './housekeeper.ts'
import type { PoolOptions } from './pool-options.ts'
import type { PoolReporter } from './pool-report.ts'

interface CheckoutDeps<C> {
  readonly endpoint: Endpoint
  /** `host:port`. */
  readonly name: string
  readonly number: number
  readonly options: PoolOptions<C, unknown>
  readonly queue: AcquireQueue<C>
  readonly listener: CheckoutListener
}

export interface CheckoutListener {
  readonly onCheckedOut: () => void
  readonly onReturned: () => void
  /** Called when a dial failed, or a connection was lost. */
  readonly onFailure: (error: Error) => void
  /** Called with an error that only a defect of this library explains. */
  readonly onDefect: (thrown: unknown) => void
}

/** Checks out and releases the connections of one generation. */
export class Checkout<C> {
  readonly checkedOut: CheckedOutConnections<C>
  readonly generation: Generation<C>
  readonly #deps: CheckoutDeps<C>
  // Connections that are being acquired or validated on behalf of the queue.
  #requested = 0
  #retiring = 0
  #unresponsive: Error | undefined

  constructor(deps: CheckoutDeps<C>) {
    const { endpoint, name, number, options } = deps
    this.#deps = deps
    this.checkedOut = new CheckedOutConnections(deps)
    this.generation = new Generation({
      endpoint,
      name,
      number,
      options,
      onFailed: deps.listener.onFailure,
      onLost: (pooled, error) => this.#onLost(pooled, error),
    })
  }

  /** Why no connection is available though the endpoint is up: dials fail, or an idle connection did not answer. */
  get unavailableReason(): Error | undefined {
    return this.#unresponsive ?? this.generation.lastError
  }

  /** Checks out an idle connection that needs no validation; undefined when the caller has to wait in the queue. */
  takeReady(stack: string | undefined): Lease<C> | undefined {
    if (this.#deps.queue.length > 0) return undefined
    const pooled = this.generation.take()
    if (pooled === undefined) return undefined
    if (this.#isFresh(pooled)) return this.#checkOut(pooled, stack)
    this.generation.release(pooled)
    return undefined
  }

  /** Acquires a connection for each waiter in the queue, as far as there is room. */
  serveQueue(): void {
    const generation = this.generation
    while (this.#requested < this.#deps.queue.length && generation.room > 0) {
      this.#requested += 1
      generation
        .acquire()
        .then((pooled) => {
          this.#requested -= 1
          this.#offer(pooled)
        })
        .catch(this.#deps.listener.onDefect)
    }
  }

  /** The server has answered the monitor. */
  clearSuspicion(): void {
    this.#unresponsive = undefined
  }

  /** Releases a lease. Has no effect when the lease has ended. */
  release(lease: Lease<C>): void {
    const pooled = this.checkedOut.checkIn(lease)
    if (pooled === undefined) return
    const result = prepareForReuse(this.#deps.options.driver, pooled)
    if (result.kind === 'unusable') this.#discard(pooled, result.error)
    else if (result.kind === 'resetting') this.#background(this.#afterReset(pooled, result.done))
    else this.#makeIdle(pooled)
    this.#deps.listener.onReturned()
  }

  /** Ends the connection of a lease; false when the lease has ended already. */
  evict(lease: Lease<C>, error: Error): boolean {
    const pooled = this.checkedOut.checkIn(lease)
    if (pooled === undefined) return false
    this.#discard(pooled, error)
    this.#deps.listener.onReturned()
    return true
  }

  /** Ends the connections that match at once, in use or idle. */
  endWhere(matches: (connection: C) => boolean, error: Error): void {
    for (const lease of this.checkedOut.all()) if (matches(lease.connection)) this.evict(lease, error)
    this.generation.endWhere(matches, error)
    this.housekeep()
  }

  /** Runs the housekeeping of idle connections. `suspicious` validates each of them. */
  housekeep(suspicious = false): void {
    this.#background(this.#housekeepIdle(suspicious))
  }

  /** Closes the idle connections gracefully within `timeoutMs`. */
  async retireIdle(timeoutMs: number): Promise<void> {
    const idle = await this.#allIdle()
    await Promise.all(idle.map((pooled) => this.#retire(pooled, timeoutMs)))
  }

  /** Ends every connection at once. */
  end(error: Error): void {
    this.checkedOut.clear()
    this.generation.end(error)
  }

  async #housekeepIdle(suspicious: boolean): Promise<void> {
    const { clock, idle: rules } = this.#deps.options
    const { keepaliveMs, timeoutMs } = suspicious ? { ...rules, keepaliveMs: 0 } : rules
    // Released in their old order, so that the most recently used is taken first.
    for (const pooled of (await this.#allIdle()).reverse()) {
      const surplus = this.generation.size - this.#retiring > this.#deps.options.size.min
      const rule = { keepaliveMs, timeoutMs, surplus }
      switch (housekeepingFor(pooled, clock.now(), rule)) {
        case 'keep':
        case 'discard':
          this.#offer(pooled)
          break
        case 'probe':
          this.#background(this.#validate(pooled))
          break
        case 'retire':
          this.#background(this.#retire(pooled, rules.validateTimeoutMs))
          break
      }
    }
  }

  #allIdle(): Promise<PooledConnection<C>[]> {
    return Promise.all(Array.from({ length: this.generation.idle }, () => this.generation.acquire()))
  }

  #checkOut(pooled: PooledConnection<C>, stack: string | undefined): Lease<C> {
    const lease = this.checkedOut.checkOut(pooled, stack)
    this.#deps.listener.onCheckedOut()
    return lease
  }

  #isFresh(pooled: PooledConnection<C>): boolean {
    const { clock, idle } = this.#deps.options
    return !pooled.signal.aborted && clock.now() - pooled.idleSinceMs <= idle.validateAfterMs
  }

  // Hands a free connection to the first waiter once it is known to be valid, else makes it idle.
  #offer(pooled: PooledConnection<C>): void {
    const { queue } = this.#deps
    if (this.generation.signal.aborted) return
    if (pooled.signal.aborted) this.#remove(pooled)
    else if (queue.length === 0) this.generation.release(pooled)
    else if (this.#isFresh(pooled)) this.#handOver(pooled)
    else this.#background(this.#validate(pooled))
  }

  #handOver(pooled: PooledConnection<C>): void {
    const waiter = this.#deps.queue.shift()
    waiter?.lease.resolve(this.#checkOut(pooled, waiter.stack))
  }

  async #validate(pooled: PooledConnection<C>): Promise<void> {
    const { driver } = this.#deps.options
    this.#requested += 1
    const result = await validate(this.#deps, pooled, (signal) => driver.probe(pooled.connection, signal))
    this.#requested -= 1
    this.#applyValidation(result)
    this.#offer(pooled)
  }

  // One connection without an answer makes the others suspect: validate all of them now.
  #applyValidation(result: ValidationResult): void {
    if (this.generation.signal.aborted) return
    if (result.kind === 'unresponsive' && this.#unresponsive === undefined) {
      this.#unresponsive = result.error
      this.housekeep(true)
    }
    if (result.kind !== 'valid') this.#deps.listener.onFailure(result.error)
  }

  async #afterReset(pooled: PooledConnection<C>, reset: Promise<void>): Promise<void> {
    await validate(this.#deps, pooled, () => reset)
    this.#makeIdle(pooled)
  }

  #makeIdle(pooled: PooledConnection<C>): void {
    const { clock, idle } = this.#deps.options
    const nowMs = clock.now()
    if (pooled.signal.aborted) this.#remove(pooled)
    else if (nowMs >= pooled.retireAtMs) this.#background(this.#retire(pooled, idle.validateTimeoutMs))
    else {
      pooled.idleSinceMs = nowMs
      this.#offer(pooled)
      this.serveQueue()
    }
  }

  async #retire(pooled: PooledConnection<C>, timeoutMs: number): Promise<void> {
    this.#retiring += 1
    await retire(this.#deps, pooled, timeoutMs)
    this.#retiring -= 1
    this.#remove(pooled)
  }

  #discard(pooled: PooledConnection<C>, error: Error): void {
    pooled.end(leaseEndedError(this.#deps.name, error))
    this.#remove(pooled)
  }

  #remove(pooled: PooledConnection<C>): void {
    if (this.generation.signal.aborted) return
    this.generation.discard(pooled)
    this.serveQueue()
  }

  #onLost(pooled: PooledConnection<C>, error: Error): void {
    if (this.checkedOut.checkInConnection(pooled)) {
      this.#remove(pooled)
      this.#deps.listener.onReturned()
    } else this.housekeep()
    this.#deps.listener.onFailure(error)
  }

  #background(work: Promise<void>): void {
    work.catch(this.#deps.listener.onDefect)
  }
}

/** A connection that is checked out: its lease, since when, and whether it receives anything. */
export interface CheckedOut<C> extends Lease<C> {
  readonly pooled: PooledConnection<C>
  /** Clock time of the checkout. */
  readonly sinceMs: number
  /** The call stack of the acquire; undefined unless leaks are detected. */
  readonly stack: string | undefined
  /** The bytes received at the last check. */
  received: number
  /** How long nothing had been received at the last check, in milliseconds of active time. */
  quietMs: number
  leakReported: boolean
}

interface CheckedOutDeps<C> {
  readonly endpoint: Endpoint
  /** The number of the generation. */
  readonly number: number
  readonly options: Pick<PoolOptions<C, unknown>, 'clock' | 'driver'>
}

/** The connections of one generation that are checked out, the oldest first. */
class CheckedOutConnections<C> {
  readonly #deps: CheckedOutDeps<C>
  readonly #all = new Map<Lease<C>, CheckedOut<C>>()

  constructor(deps: CheckedOutDeps<C>) {
    this.#deps = deps
  }

  get size(): number {
    return this.#all.size
  }

  /** Makes a lease of a connection. `stack` is the call stack of the acquire, when leaks are detected. */
  checkOut(pooled: PooledConnection<C>, stack: string | undefined): Lease<C> {
    const { endpoint, number, options } = this.#deps
    const { connection, signal } = pooled
    const checkedOut: CheckedOut<C> = {
      connection,
      endpoint,
      generation: number,
      signal,
      pooled,
      sinceMs: options.clock.now(),
      stack,
      received: options.driver.received(connection),
      quietMs: 0,
      leakReported: false,
    }
    this.#all.set(checkedOut, checkedOut)
    return checkedOut
  }

  /** Ends a lease; undefined when it has ended already. */
  checkIn(lease: Lease<C>): PooledConnection<C> | undefined {
    const checkedOut = this.#all.get(lease)
    this.#all.delete(lease)
    return checkedOut?.pooled
  }

  /** Ends the lease of a connection; false when it is not checked out. */
  checkInConnection(pooled: PooledConnection<C>): boolean {
    for (const checkedOut of this.#all.values())
      if (checkedOut.pooled === pooled) return this.#all.delete(checkedOut)
    return false
  }

  has(lease: Lease<C>): boolean {
    return this.#all.has(lease)
  }

  all(): readonly CheckedOut<C>[] {
    return [...this.#all.values()]
  }

  /** Whether every lease is among these. */
  allIn(leases: ReadonlySet<Lease<C>>): boolean {
    for (const lease of this.#all.keys()) if (!leases.has(lease)) return false
    return true
  }

  clear(): void {
    this.#all.clear()
  }
}

/** Checks a connection once more: true when it has now received nothing for `quietMs`. */
function becameQuiet(
  checkedOut: CheckedOut<unknown>,
  received: number,
  activeMs: number,
  quietMs: number,
): boolean {
  const before = checkedOut.quietMs
  checkedOut.quietMs = received === checkedOut.received ? before + activeMs : 0
  checkedOut.received = received
  return before < quietMs && checkedOut.quietMs >= quietMs
}

interface LeakDetectorDeps<C> {
  readonly options: PoolOptions<C, unknown>
  readonly reporter: PoolReporter
  readonly pools: () => Iterable<LeakCheckedPool<C>>
  /** Called when a connection that is checked out has received nothing for `slowQueryMs`. */
  readonly onQuiet: (pool: LeakCheckedPool<C>) => void
}

interface LeakCheckedPool<C> {
  readonly endpoint: Endpoint
  readonly name: string
  checkedOut(): readonly CheckedOut<C>[]
}

// Five checks in `slowQueryMs`: a quiet connection is found within that time, at most a fifth of it late.
const checksPerSlowQuery = 5

/** Finds leaked and quiet connections, with one timer for all of them and none while no connection is checked out. */
export class LeakDetector<C> {
  readonly #deps: LeakDetectorDeps<C>
  // The checkout that starts the loop is not the last that it watches.
  readonly #inOwnContext = AsyncLocalStorage.snapshot()
  #running = false

  constructor(deps: LeakDetectorDeps<C>) {
    this.#deps = deps
  }

  /** Checks periodically until the signal fires or no connection is checked out. */
  start(signal: AbortSignal): void {
    if (this.#running || signal.aborted) return
    this.#running = true
    // Rejects when the signal fires, or by a defect; the next checkout starts it again.
    this.#inOwnContext(() => this.#run(signal)).catch(() => {
      this.#running = false
    })
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, monitor } = this.#deps.options
    const intervalMs = monitor.slowQueryMs / checksPerSlowQuery
    const activeTime = new ActiveTime(clock, intervalMs)
    for (let anyCheckedOut = true; anyCheckedOut; ) {
      await clock.sleep(intervalMs, signal)
      const activeMs = activeTime.tick()
      anyCheckedOut = false
      for (const pool of this.#deps.pools()) {
        for (const checkedOut of pool.checkedOut()) {
          anyCheckedOut = true
          this.#check(pool, checkedOut, activeMs)
        }
      }
    }
    this.#running = false
  }

  #check(pool: LeakCheckedPool<C>, checkedOut: CheckedOut<C>, activeMs: number): void {
    const { options, onQuiet, reporter } = this.#deps
    const { driver, monitor, clock, leakAfterMs } = options
    const quietMs = monitor.slowQueryMs * (1 - 1 / checksPerSlowQuery)
    if (becameQuiet(checkedOut, driver.received(checkedOut.pooled.connection), activeMs, quietMs))
      onQuiet(pool)
    const heldMs = clock.now() - checkedOut.sinceMs
    if (checkedOut.leakReported || heldMs < leakAfterMs) return
    checkedOut.leakReported = true
    reporter.leak({ endpoint: pool.name, heldMs: Math.round(heldMs), stack: checkedOut.stack ?? '' })
  }
}
