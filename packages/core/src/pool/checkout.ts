import type { Endpoint } from '../address/endpoint.ts'
import { type Lease, leaseEnded } from '../lease.ts'
import { ActiveTime } from '../util/active-time.ts'
import type { AcquireQueue } from './acquire.ts'
import { Generation, housekeepingFor, type PooledConnection } from './connections.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import { prepareForReuse, retire, type ValidationResult, validate } from './housekeeper.ts'
import type { PoolOptions } from './pool-options.ts'
import type { PoolReporter } from './pool-report.ts'

interface CheckoutDeps<C> {
  readonly endpoint: Endpoint
  /** `host:port`. */
  readonly name: string
  readonly number: number
  readonly options: PoolOptions<C, unknown>
  readonly queue: AcquireQueue<C>
  readonly onLent: () => void
  readonly onReturned: () => void
  /** Called when a dial failed, or a connection was lost. */
  readonly onFailure: (error: Error) => void
  /** Called with what can only be a defect of ours. */
  readonly onDefect: (thrown: unknown) => void
}

/** The borrowing and giving back of the connections of one generation. */
export class Checkout<C> {
  readonly checkedOut: CheckedOutConnections<C>
  readonly generation: Generation<C>
  readonly #deps: CheckoutDeps<C>
  // Connections that are asked for, or asked something, on behalf of those in line.
  #requested = 0
  #retiring = 0
  #unresponsive: Error | undefined

  constructor(parts: CheckoutDeps<C>) {
    const { endpoint, name, number, options } = parts
    this.#deps = parts
    this.checkedOut = new CheckedOutConnections(parts)
    this.generation = new Generation({
      endpoint,
      name,
      number,
      options,
      onFailed: parts.onFailure,
      onLost: (pooled, error) => this.#onLost(pooled, error),
    })
  }

  /** Why nothing is to be had though the endpoint is up: dials fail, or an idle connection did not answer. */
  get unavailableReason(): Error | undefined {
    return this.#unresponsive ?? this.generation.lastError
  }

  /** Takes an idle connection that needs no proof; undefined when there is none, and one has to stand in line. */
  takeReady(stack: string | undefined): Lease<C> | undefined {
    if (this.#deps.queue.length > 0) return undefined
    const pooled = this.generation.take()
    if (pooled === undefined) return undefined
    if (this.#isFresh(pooled)) return this.#checkOut(pooled, stack)
    this.generation.release(pooled)
    return undefined
  }

  /** Asks for as many connections as stand in line for one, as far as there is room. */
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
        .catch(this.#deps.onDefect)
    }
  }

  /** The server has answered: whatever was doubted of it. */
  clearSuspicion(): void {
    this.#unresponsive = undefined
  }

  /** Takes a lease back. Nothing happens when it is over. */
  release(lease: Lease<C>): void {
    const pooled = this.checkedOut.checkIn(lease)
    if (pooled === undefined) return
    const left = prepareForReuse(this.#deps.options.driver, pooled)
    if (left.kind === 'unusable') this.#discard(pooled, left.error)
    else if (left.kind === 'resetting') this.#background(this.#afterReset(pooled, left.done))
    else this.#makeIdle(pooled)
    this.#deps.onReturned()
  }

  /** Ends the connection of a lease; false when it is over already. */
  evict(lease: Lease<C>, error: Error): boolean {
    const pooled = this.checkedOut.checkIn(lease)
    if (pooled === undefined) return false
    this.#discard(pooled, error)
    this.#deps.onReturned()
    return true
  }

  /** Looks after the connections that nobody has. `suspicious` asks each of them for an answer. */
  housekeep(suspicious = false): void {
    this.#background(this.#housekeepIdle(suspicious))
  }

  /** Ends the idle connections politely, within `timeoutMs`. */
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
    // Given back in the order in which they lay, so that what is used stays warm.
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
    this.#deps.onLent()
    return lease
  }

  #isFresh(pooled: PooledConnection<C>): boolean {
    const { clock, idle } = this.#deps.options
    return !pooled.signal.aborted && clock.now() - pooled.idleSinceMs <= idle.validateAfterMs
  }

  // A connection that nobody has: to the first in line once it has proved itself, else back to the idle ones.
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
    const proof = await validate(this.#deps, pooled, (signal) => driver.probe(pooled.connection, signal))
    this.#requested -= 1
    this.#applyValidation(proof)
    this.#offer(pooled)
  }

  // One that is silent says something of all: nobody asks them one by one.
  #applyValidation(proof: ValidationResult): void {
    if (this.generation.signal.aborted) return
    if (proof.kind === 'unresponsive' && this.#unresponsive === undefined) {
      this.#unresponsive = proof.error
      this.housekeep(true)
    }
    if (proof.kind !== 'valid') this.#deps.onFailure(proof.error)
  }

  async #afterReset(pooled: PooledConnection<C>, renewing: Promise<void>): Promise<void> {
    await validate(this.#deps, pooled, () => renewing)
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
    pooled.end(leaseEnded(this.#deps.name, error))
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
      this.#deps.onReturned()
    } else this.housekeep()
    this.#deps.onFailure(error)
  }

  #background(work: Promise<void>): void {
    work.catch(this.#deps.onDefect)
  }
}

/** One borrow: the lease that the borrower has, since when, and whether anything is heard on it. */
export interface CheckedOut<C> extends Lease<C> {
  readonly pooled: PooledConnection<C>
  /** Clock time of the borrow. */
  readonly sinceMs: number
  /** Where it was borrowed; undefined unless leaks are looked for. */
  readonly stack: string | undefined
  /** The bytes received when it was last looked at. */
  received: number
  /** For how long nothing had been received then, in milliseconds of attention. */
  quietMs: number
  leakReported: boolean
}

/** What is borrowed of one generation. */
interface CheckedOutDeps<C> {
  readonly endpoint: Endpoint
  /** The number of the generation. */
  readonly number: number
  readonly options: Pick<PoolOptions<C, unknown>, 'clock' | 'driver'>
}

/** What is borrowed from one endpoint, the oldest first. */
class CheckedOutConnections<C> {
  readonly #deps: CheckedOutDeps<C>
  readonly #all = new Map<Lease<C>, CheckedOut<C>>()

  constructor(anyCheckedOut: CheckedOutDeps<C>) {
    this.#deps = anyCheckedOut
  }

  get size(): number {
    return this.#all.size
  }

  /** Lends a connection; `stack` says where it is borrowed, when leaks are looked for. */
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

  /** Ends a loan; undefined when it is over already. */
  checkIn(lease: Lease<C>): PooledConnection<C> | undefined {
    const checkedOut = this.#all.get(lease)
    this.#all.delete(lease)
    return checkedOut?.pooled
  }

  /** Ends the loan of a connection; false when nobody has borrowed it. */
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

  /** True when every borrower is among these. */
  allIn(leases: ReadonlySet<Lease<C>>): boolean {
    for (const lease of this.#all.keys()) if (!leases.has(lease)) return false
    return true
  }

  clear(): void {
    this.#all.clear()
  }
}

/** Looks at a loan once more: true when nothing has now been heard on it for as long as `quietMs`. */
function becameQuiet(
  checkedOut: CheckedOut<unknown>,
  received: number,
  attentiveMs: number,
  quietMs: number,
): boolean {
  const before = checkedOut.quietMs
  checkedOut.quietMs = received === checkedOut.received ? before + attentiveMs : 0
  checkedOut.received = received
  return before < quietMs && checkedOut.quietMs >= quietMs
}

interface LeakDetectorDeps<C> {
  readonly options: PoolOptions<C, unknown>
  readonly reporter: PoolReporter
  readonly pools: () => Iterable<EndpointPool<C>>
  /** Called when nothing has been heard on a borrowed connection for `slowQueryMs`. */
  readonly onQuiet: (pool: EndpointPool<C>) => void
}

// Five looks in the time after which a query is slow: what is quiet is seen within it, and not a fifth later.
const checksPerSlowQuery = 5

/** Looks at all borrowed connections with one timer, and with none while nothing is borrowed. */
export class LeakDetector<C> {
  readonly #deps: LeakDetectorDeps<C>
  #running = false

  constructor(attended: LeakDetectorDeps<C>) {
    this.#deps = attended
  }

  /** Begins to look, until the signal fires or nothing is borrowed any more. */
  start(signal: AbortSignal): void {
    if (this.#running || signal.aborted) return
    this.#running = true
    // It rejects when the signal fires, or by a defect, and then the next lease begins it anew.
    this.#run(signal).catch(() => {
      this.#running = false
    })
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, monitor } = this.#deps.options
    const lookMs = monitor.slowQueryMs / checksPerSlowQuery
    const attention = new ActiveTime(clock, lookMs)
    for (let anyCheckedOut = true; anyCheckedOut; ) {
      await clock.sleep(lookMs, signal)
      const attentiveMs = attention.tick()
      anyCheckedOut = false
      for (const pool of this.#deps.pools()) {
        for (const checkedOut of pool.checkedOut()) {
          anyCheckedOut = true
          this.#check(pool, checkedOut, attentiveMs)
        }
      }
    }
    this.#running = false
  }

  #check(pool: EndpointPool<C>, checkedOut: CheckedOut<C>, attentiveMs: number): void {
    const { options, onQuiet, reporter } = this.#deps
    const { driver, monitor, clock, leakAfterMs } = options
    const quietMs = monitor.slowQueryMs * (1 - 1 / checksPerSlowQuery)
    if (becameQuiet(checkedOut, driver.received(checkedOut.pooled.connection), attentiveMs, quietMs))
      onQuiet(pool)
    const heldMs = clock.now() - checkedOut.sinceMs
    if (checkedOut.leakReported || heldMs < leakAfterMs) return
    checkedOut.leakReported = true
    reporter.leak({ endpoint: pool.name, heldMs: Math.round(heldMs), stack: checkedOut.stack ?? '' })
  }
}
