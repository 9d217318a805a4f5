import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import { type AcquireAttempt, AcquireQueue } from './acquire-queue.ts'
import { type CheckedOut, Checkout } from './checkout.ts'
import type { PoolOptions } from './pool-options.ts'
import type { PoolReporter } from './pool-report.ts'
import type { HostLoad } from './routing.ts'

interface EndpointPoolDeps<C> {
  readonly endpoint: Endpoint
  readonly options: PoolOptions<C, unknown>
  readonly reporter: PoolReporter
  readonly onCheckedOut: () => void
  readonly onReturned: () => void
  /** Called when a dial failed, or a connection was lost or did not answer: the monitor should check. */
  readonly onFailure: (error: Error) => void
}

/** The pool of one endpoint: the queue of acquires and, while the endpoint is usable, a {@link Checkout}. */
export class EndpointPool<C> {
  readonly endpoint: Endpoint
  /** `host:port`. */
  readonly name: string
  readonly #deps: EndpointPoolDeps<C>
  readonly #queue = new AcquireQueue<C>()
  #checkout: Checkout<C> | undefined
  #generation = 0
  #exhaustionReported = false

  constructor(deps: EndpointPoolDeps<C>) {
    this.#deps = deps
    this.endpoint = deps.endpoint
    this.name = formatEndpoint(deps.endpoint)
  }

  /** How many times the endpoint has become usable. */
  get generation(): number {
    return this.#generation
  }

  /** Whether connections to the endpoint are opened. */
  get usable(): boolean {
    return this.#checkout !== undefined
  }

  /** Why no connection is available though the endpoint is usable. */
  get unavailableReason(): Error | undefined {
    return this.#checkout?.unavailableReason
  }

  /** The connections that are checked out, the oldest first. */
  checkedOut(): readonly CheckedOut<C>[] {
    return this.#checkout?.checkedOut.all() ?? []
  }

  load(): HostLoad {
    const inUse = this.#checkout?.checkedOut.size ?? 0
    const free = this.#checkout === undefined ? 0 : this.#deps.options.size.max - inUse
    return { inUse, waiting: this.#queue.length, free }
  }

  get idle(): number {
    return this.#checkout?.generation.idle ?? 0
  }

  get connecting(): number {
    return this.#checkout?.generation.connecting ?? 0
  }

  /** The endpoint has become usable: connections are opened from now on. */
  markUsable(): void {
    if (this.#checkout !== undefined) return
    this.#generation += 1
    const { endpoint, options, onCheckedOut, onReturned, onFailure } = this.#deps
    const checkout: Checkout<C> = new Checkout({
      endpoint,
      name: this.name,
      number: this.#generation,
      options,
      queue: this.#queue,
      listener: {
        onCheckedOut,
        onReturned,
        onFailure: (error) => {
          this.reviewQueue()
          onFailure(error)
        },
        onDefect: (thrown) => {
          if (checkout !== this.#checkout) return
          const message = `the pool of ${this.name} failed: ${asError(thrown).message}`
          this.markUnusable(new HaError('internal', message, { cause: thrown }))
        },
      },
    })
    this.#checkout = checkout
    this.#deps.reporter.generationBegun(this.name, this.#generation)
    checkout.serveQueue()
  }

  /** The endpoint is down or no longer listed: every connection ends now, and the waiters ask their routes again. */
  markUnusable(error: Error): void {
    const checkout = this.#checkout
    if (checkout === undefined) return
    this.#checkout = undefined
    const over = {
      borrowed: checkout.checkedOut.size,
      idle: checkout.generation.idle,
      error: detachStack(error),
    }
    checkout.end(error)
    this.#deps.reporter.generationOver({
      endpoint: this.name,
      generation: checkout.generation.number,
      ...over,
    })
    this.#deps.onReturned()
    this.reviewQueue()
  }

  /** The server has answered the monitor. */
  clearSuspicion(): void {
    this.#checkout?.clearSuspicion()
  }

  /** Ends the connections to one of the servers behind the endpoint, by the identity that the server gave. */
  endServer(server: string, error: Error): void {
    const { driver } = this.#deps.options
    this.#checkout?.endWhere((connection) => driver.serverOf?.(connection) === server, error)
  }

  /** Makes the waiters whose route leads elsewhere by now ask it again. */
  reviewQueue(): void {
    this.#queue.review()
  }

  /**
   * Checks out a connection that is available at once; undefined when the caller has to {@link enqueue}. Throws
   * `exhausted` when waiting cannot succeed.
   */
  take({ within, stack }: Pick<AcquireAttempt<C>, 'within' | 'stack'>): Lease<C> | undefined {
    if (within !== undefined) this.#checkNested(within)
    return this.#checkout?.takeReady(stack)
  }

  /**
   * Checks out a connection as soon as one is available; undefined when the caller has to ask its route again. Rejects
   * with the signal's reason, or at once with `exhausted` when too many acquires wait.
   */
  async enqueue(attempt: AcquireAttempt<C>, signal: AbortSignal): Promise<Lease<C> | undefined> {
    // The view may have changed since the route chose this endpoint.
    if (!attempt.isRoutedHere()) return undefined
    const { max, maxWaiting } = this.#deps.options.size
    // Waiters for which there is room wait only until their connection is open.
    const most = maxWaiting + max - this.load().inUse
    if (this.#queue.length >= most) throw this.#rejectExhausted('too many acquires wait already')
    const waiter = this.#queue.enqueue(attempt, signal)
    this.#checkout?.serveQueue()
    try {
      return await waiter.lease.promise
    } catch (error) {
      if (this.load().inUse === max) this.#rejectExhausted('an acquire gave up waiting')
      throw error
    } finally {
      this.#queue.remove(waiter)
    }
  }

  release(lease: Lease<C>): void {
    this.#checkout?.release(lease)
    this.#exhaustionReported = false
  }

  /** Ends the connection of a lease; false when the lease has ended already. */
  evict(lease: Lease<C>, error: Error): boolean {
    return this.#checkout?.evict(lease, error) ?? false
  }

  /** Runs the housekeeping of idle connections. */
  housekeep(): void {
    this.#checkout?.housekeep()
  }

  /** Closes the idle connections gracefully within `timeoutMs`. */
  async retireIdle(timeoutMs: number): Promise<void> {
    await this.#checkout?.retireIdle(timeoutMs)
  }

  /** The `exhausted` error; `why` says what failed because of it. */
  exhaustedError(why: string): HaError {
    const { size, clock } = this.#deps.options
    const usage: EndpointUsage = {
      endpoint: this.name,
      max: size.max,
      checkedOut: this.checkedOut(),
      waiting: this.#queue.length,
      connecting: this.connecting,
      nowMs: clock.now(),
    }
    return exhaustedError(usage, why)
  }

  // Callers that hold a connection and wait for another one deadlock when they hold all of them.
  #checkNested(within: Lease<C>): void {
    const checkedOut = this.#checkout?.checkedOut
    if (checkedOut?.has(within) !== true) return
    const waiting = this.#queue.heldLeases().add(within)
    if (checkedOut.size === this.#deps.options.size.max && checkedOut.allIn(waiting))
      throw this.#rejectExhausted(
        'a nested acquire would deadlock: every caller that holds a connection waits for another one',
      )
    this.#deps.reporter.nested(this.name)
  }

  // Emitted once per exhaustion; re-armed by the next release.
  #rejectExhausted(why: string): HaError {
    const error = this.exhaustedError(why)
    if (!this.#exhaustionReported) this.#deps.reporter.exhausted(this.name, error)
    this.#exhaustionReported = true
    return error
  }
}

/** The facts in an `exhausted` error. */
interface EndpointUsage {
  /** `host:port`. */
  readonly endpoint: string
  readonly max: number
  /** The oldest first. */
  readonly checkedOut: readonly Pick<CheckedOut<unknown>, 'sinceMs' | 'stack'>[]
  readonly waiting: number
  readonly connecting: number
  readonly nowMs: number
}

/** Describes how many connections are in use, since when, and how many acquires wait. */
function exhaustedError(usage: EndpointUsage, why: string): HaError {
  const { endpoint } = usage
  return new HaError('exhausted', `${why}: ${describe(usage)}`, { endpoint, retryable: true })
}

function describe({ endpoint, max, checkedOut, waiting, connecting, nowMs }: EndpointUsage): string {
  const [oldest] = checkedOut
  const parts = [`${checkedOut.length} of ${max} connections to ${endpoint} are in use`]
  if (oldest !== undefined) parts.push(`the oldest for ${Math.round(nowMs - oldest.sinceMs)} ms`)
  parts.push(`${waiting} waiting`, `${connecting} connecting`)
  const acquiredAt = oldest?.stack === undefined ? '' : `; the oldest was acquired ${oldest.stack}`
  return parts.join(', ') + acquiredAt
}
