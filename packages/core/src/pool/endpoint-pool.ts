import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import type { Lease } from '../lease.ts'
import { type AcquireAttempt, AcquireQueue } from './acquire.ts'
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
  /** Called when a dial failed, or a connection was lost or did not answer: somebody should look. */
  readonly onFailure: (error: Error) => void
}

/** One endpoint of a pool: who waits for a connection to it, and, while it is usable, a {@link Checkout}. */
export class EndpointPool<C> {
  readonly endpoint: Endpoint
  /** `host:port`. */
  readonly name: string
  readonly #deps: EndpointPoolDeps<C>
  readonly #queue = new AcquireQueue<C>()
  #checkout: Checkout<C> | undefined
  #generation = 0
  #exhaustionReported = false

  constructor(parts: EndpointPoolDeps<C>) {
    this.#deps = parts
    this.endpoint = parts.endpoint
    this.name = formatEndpoint(parts.endpoint)
  }

  /** How many times it has become usable. */
  get generation(): number {
    return this.#generation
  }

  /** Whether connections are made to it. */
  get usable(): boolean {
    return this.#checkout !== undefined
  }

  /** Why no connection is to be had though it is usable. */
  get unavailableReason(): Error | undefined {
    return this.#checkout?.unavailableReason
  }

  /** What is borrowed from it. */
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

  /** It has become usable. */
  markUsable(): void {
    if (this.#checkout !== undefined) return
    this.#generation += 1
    const { endpoint, options, onCheckedOut: onLent, onReturned, onFailure } = this.#deps
    const checkout: Checkout<C> = new Checkout({
      endpoint,
      name: this.name,
      number: this.#generation,
      options,
      queue: this.#queue,
      onLent,
      onReturned,
      onFailure: (error) => {
        this.reviewQueue()
        onFailure(error)
      },
      onDefect: (thrown) => {
        if (checkout === this.#checkout)
          this.markUnusable(
            new HaError('internal', `lending failed: ${asError(thrown).message}`, { cause: thrown }),
          )
      },
    })
    this.#checkout = checkout
    this.#deps.reporter.generationBegun(this.name, this.#generation)
    checkout.serveQueue()
  }

  /** It is gone: every connection to it ends now, and those in line look where else to go. */
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

  /** It has answered: whatever was doubted of it. */
  clearSuspicion(): void {
    this.#checkout?.clearSuspicion()
  }

  /** Sends those in line who should stand elsewhere to look again. */
  reviewQueue(): void {
    this.#queue.review()
  }

  /**
   * Lends a connection that is to be had at once; undefined when the borrower has to {@link enqueue} for one. Throws
   * `exhausted` when waiting would be in vain.
   */
  take({ within, stack }: Pick<AcquireAttempt<C>, 'within' | 'stack'>): Lease<C> | undefined {
    if (within !== undefined) this.#checkNested(within)
    return this.#checkout?.takeReady(stack)
  }

  /**
   * Lends a connection, as soon as there is one; undefined when the borrower should look again where to go. Rejects
   * with the signal's reason, or at once with `exhausted` when too many wait.
   */
  async enqueue(attempt: AcquireAttempt<C>, signal: AbortSignal): Promise<Lease<C> | undefined> {
    // What was known when this host was chosen may have changed since.
    if (!attempt.isRoutedHere()) return undefined
    const { max, maxWaiting } = this.#deps.options.size
    // Those for whom there is room wait only until their connection is made.
    const most = maxWaiting + max - this.load().inUse
    if (this.#queue.length >= most) throw this.#rejectExhausted('too many wait already')
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

  /** Ends the connection of a lease; false when it is over already. */
  evict(lease: Lease<C>, error: Error): boolean {
    return this.#checkout?.evict(lease, error) ?? false
  }

  /** Looks after the connections that nobody has. */
  housekeep(): void {
    this.#checkout?.housekeep()
  }

  /** Ends the idle connections politely, within `timeoutMs`. */
  async retireIdle(timeoutMs: number): Promise<void> {
    await this.#checkout?.retireIdle(timeoutMs)
  }

  /** Says that all connections are in use, with `why` it matters. */
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

  // Those who hold a connection and wait for another one wait for each other, when nobody else has any.
  #checkNested(within: Lease<C>): void {
    const checkedOut = this.#checkout?.checkedOut
    if (checkedOut?.has(within) !== true) return
    const waiting = this.#queue.heldLeases().add(within)
    if (checkedOut.size === this.#deps.options.size.max && checkedOut.allIn(waiting))
      throw this.#rejectExhausted(
        'a nested acquire would wait for ever, for everybody who holds a connection waits for one more',
      )
    this.#deps.reporter.nested(this.name)
  }

  // Told once until somebody gives a lease back: while nobody does, there is no news.
  #rejectExhausted(why: string): HaError {
    const error = this.exhaustedError(why)
    if (!this.#exhaustionReported) this.#deps.reporter.exhausted(this.name, error)
    this.#exhaustionReported = true
    return error
  }
}

/** What there is to say of a host whose connections are all in use. */
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

/** Nobody can borrow there: says who holds the connections, for how long, and who else waits. */
function exhaustedError(usage: EndpointUsage, why: string): HaError {
  const { endpoint } = usage
  return new HaError('exhausted', `${why}: ${describe(usage)}`, { endpoint, retryable: true })
}

function describe({ endpoint, max, checkedOut: lent, waiting, connecting, nowMs }: EndpointUsage): string {
  const [oldest] = lent
  const parts = [`${lent.length} of ${max} connections to ${endpoint} are in use`]
  if (oldest !== undefined) parts.push(`the oldest for ${Math.round(nowMs - oldest.sinceMs)} ms`)
  parts.push(`${waiting} wait`, `${connecting} are being made`)
  const borrowedAt = oldest?.stack === undefined ? '' : `; the oldest was borrowed ${oldest.stack}`
  return parts.join(', ') + borrowedAt
}
