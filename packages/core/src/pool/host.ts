import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import type { Lease } from '../source.ts'
import { exhausted, type Usage } from './exhausted.ts'
import { Lending } from './lending.ts'
import type { Loan } from './loans.ts'
import type { PoolOptions } from './pool-options.ts'
import type { PoolTelling } from './pool-telling.ts'
import type { HostLoad } from './route.ts'
import { type Borrower, WaitingLine } from './waiting-line.ts'

export interface HostParts<C> {
  readonly endpoint: Endpoint
  readonly options: PoolOptions<C, unknown>
  readonly telling: PoolTelling
  readonly onLent: () => void
  readonly onReturned: () => void
  /** Called when a dial failed, or a connection was lost or did not answer: somebody should look. */
  readonly onFailure: (error: Error) => void
}

/** One endpoint of a pool: who waits for a connection to it, and, while it is usable, a {@link Lending}. */
export class Host<C> {
  readonly endpoint: Endpoint
  /** `host:port`. */
  readonly name: string
  readonly #parts: HostParts<C>
  readonly #line = new WaitingLine<C>()
  #lending: Lending<C> | undefined
  #generation = 0
  #exhaustionTold = false

  constructor(parts: HostParts<C>) {
    this.#parts = parts
    this.endpoint = parts.endpoint
    this.name = formatEndpoint(parts.endpoint)
  }

  /** How many times it has become usable. */
  get generation(): number {
    return this.#generation
  }

  /** Whether connections are made to it. */
  get usable(): boolean {
    return this.#lending !== undefined
  }

  /** Why no connection is to be had though it is usable. */
  get trouble(): Error | undefined {
    return this.#lending?.trouble
  }

  /** What is borrowed from it. */
  loans(): readonly Loan<C>[] {
    return this.#lending?.loans.all() ?? []
  }

  load(): HostLoad {
    const inUse = this.#lending?.loans.size ?? 0
    const free = this.#lending === undefined ? 0 : this.#parts.options.size.max - inUse
    return { inUse, waiting: this.#line.length, free }
  }

  get idle(): number {
    return this.#lending?.generation.idle ?? 0
  }

  get connecting(): number {
    return this.#lending?.generation.connecting ?? 0
  }

  /** It has become usable. */
  begin(): void {
    if (this.#lending !== undefined) return
    this.#generation += 1
    const { endpoint, options, onLent, onReturned, onFailure } = this.#parts
    const lending: Lending<C> = new Lending({
      endpoint,
      name: this.name,
      number: this.#generation,
      options,
      line: this.#line,
      onLent,
      onReturned,
      onFailure: (error) => {
        this.review()
        onFailure(error)
      },
      onDefect: (thrown) => {
        if (lending === this.#lending)
          this.end(new HaError('internal', `lending failed: ${asError(thrown).message}`, { cause: thrown }))
      },
    })
    this.#lending = lending
    this.#parts.telling.generationBegun(this.name, this.#generation)
    lending.pump()
  }

  /** It is gone: every connection to it ends now, and those in line look where else to go. */
  end(error: Error): void {
    const lending = this.#lending
    if (lending === undefined) return
    this.#lending = undefined
    const over = { borrowed: lending.loans.size, idle: lending.generation.idle, error: detachStack(error) }
    lending.end(error)
    this.#parts.telling.generationOver({
      endpoint: this.name,
      generation: lending.generation.number,
      ...over,
    })
    this.#parts.onReturned()
    this.review()
  }

  /** It has answered: whatever was doubted of it. */
  trust(): void {
    this.#lending?.trust()
  }

  /** Sends those in line who should stand elsewhere to look again. */
  review(): void {
    this.#line.review()
  }

  /**
   * Lends a connection that is to be had at once; undefined when the borrower has to {@link wait} for one. Throws
   * `exhausted` when waiting would be in vain.
   */
  take({ within, stack }: Pick<Borrower<C>, 'within' | 'stack'>): Lease<C> | undefined {
    if (within !== undefined) this.#nested(within)
    return this.#lending?.takeReady(stack)
  }

  /**
   * Lends a connection, as soon as there is one; undefined when the borrower should look again where to go. Rejects
   * with the signal's reason, or at once with `exhausted` when too many wait.
   */
  async wait(borrower: Borrower<C>, signal: AbortSignal): Promise<Lease<C> | undefined> {
    // What was known when this host was chosen may have changed since.
    if (!borrower.fits()) return undefined
    const { max, maxWaiting } = this.#parts.options.size
    // Those for whom there is room wait only until their connection is made.
    const most = maxWaiting + max - this.load().inUse
    if (this.#line.length >= most) throw this.#turnedAway('too many wait already')
    const waiter = this.#line.join(borrower, signal)
    this.#lending?.pump()
    try {
      return await waiter.gate.promise
    } catch (error) {
      if (this.load().inUse === max) this.#turnedAway('an acquire gave up waiting')
      throw error
    } finally {
      this.#line.leave(waiter)
    }
  }

  giveBack(lease: Lease<C>): void {
    this.#lending?.giveBack(lease)
    this.#exhaustionTold = false
  }

  /** Ends the connection of a lease; false when it is over already. */
  drop(lease: Lease<C>, error: Error): boolean {
    return this.#lending?.drop(lease, error) ?? false
  }

  /** Looks after the connections that nobody has. */
  upkeep(): void {
    this.#lending?.upkeep()
  }

  /** Ends the idle connections politely, within `timeoutMs`. */
  async retireIdle(timeoutMs: number): Promise<void> {
    await this.#lending?.retireIdle(timeoutMs)
  }

  /** Says that all connections are in use, with `why` it matters. */
  exhausted(why: string): HaError {
    const { size, clock } = this.#parts.options
    const usage: Usage = {
      endpoint: this.name,
      max: size.max,
      lent: this.loans(),
      waiting: this.#line.length,
      connecting: this.connecting,
      nowMs: clock.now(),
    }
    return exhausted(usage, why)
  }

  // Those who hold a connection and wait for another one wait for each other, when nobody else has any.
  #nested(within: Lease<C>): void {
    const loans = this.#lending?.loans
    if (loans?.has(within) !== true) return
    const waiting = this.#line.withins().add(within)
    if (loans.size === this.#parts.options.size.max && loans.allIn(waiting))
      throw this.#turnedAway(
        'a nested acquire would wait for ever, for everybody who holds a connection waits for one more',
      )
    this.#parts.telling.nested(this.name)
  }

  // Told once until somebody gives a lease back: while nobody does, there is no news.
  #turnedAway(why: string): HaError {
    const error = this.exhausted(why)
    if (!this.#exhaustionTold) this.#parts.telling.exhausted(this.name, error)
    this.#exhaustionTold = true
    return error
  }
}
