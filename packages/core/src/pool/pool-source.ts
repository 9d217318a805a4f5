import { HaError } from '../errors/ha-error.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import type { Notifier } from '../runtime/pulse.ts'
import type { Lease, Source } from '../source.ts'
import { calledFrom } from './called-from.ts'
import { destination, type Ground } from './destination.ts'
import type { Host } from './host.ts'
import type { AcquireRequest } from './route.ts'
import type { Borrower } from './waiting-line.ts'
import { whyWaiting } from './why-waiting.ts'

/** What a source needs of its pool. */
export interface Lender<C, R> extends Ground<C, R> {
  readonly name: string
  readonly clock: Clock
  /** Whether it has to be known where each lease was borrowed. */
  readonly findsLeaks: boolean
  /** Fires when the view has changed, and when the pool is closed. */
  readonly changed: Notifier
  /** Why nothing is lent any more; undefined while something is. */
  readonly closed: HaError | undefined
  start(): void
  release(lease: Lease<C>): void
  fail(lease: Lease<C>, error: Error): void
}

/** Lends the connections of a pool to those who want the same. */
export class PoolSource<C, R> implements Source<C> {
  readonly #lender: Lender<C, R>
  readonly #want: AcquireRequest<C, R>

  constructor(lender: Lender<C, R>, want: AcquireRequest<C, R>) {
    this.#lender = lender
    this.#want = want
  }

  /** What most operations find: an idle connection where the route goes. Throws as {@link acquire} rejects. */
  take(): Lease<C> | undefined {
    if (this.#lender.closed !== undefined) return undefined
    const to = destination(this.#lender, this.#want.route)
    if (to.kind !== 'host') return undefined
    return to.host.take({ within: this.#want.within, stack: this.#calledFrom() })
  }

  /**
   * Waits for a connection. Rejects with the signal's reason; with `closed`; with the route's error when it is final;
   * with `exhausted` at once when waiting is in vain; and with what {@link trouble} says when the time of the want is
   * over.
   */
  acquire(signal: AbortSignal): Promise<Lease<C>> {
    const { acquireTimeoutMs: timeoutMs } = this.#want
    const stack = this.#calledFrom()
    this.#lender.start()
    if (timeoutMs === undefined) return this.#acquire(stack, signal)
    const limit = { timeoutMs, signal, expired: () => this.#expired() }
    const late = (lease: Lease<C>): void => this.release(lease)
    return withDeadline(this.#lender.clock, limit, (inner) => this.#acquire(stack, inner), late)
  }

  release(lease: Lease<C>): void {
    this.#lender.release(lease)
  }

  fail(lease: Lease<C>, error: Error): void {
    this.#lender.fail(lease, error)
  }

  /** Why an acquire that began now would have to wait; undefined when it would not. */
  trouble(): HaError | undefined {
    if (this.#lender.closed !== undefined) return this.#lender.closed
    const to = destination(this.#lender, this.#want.route)
    if (to.kind === 'nowhere') return to.error ?? this.#unlisted()
    const { host } = to
    if (host.load().free > 0 && host.trouble === undefined && host.connecting === 0) return undefined
    return whyWaiting(host, this.#lender.view)
  }

  async #acquire(stack: string | undefined, signal: AbortSignal): Promise<Lease<C>> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#lender.closed !== undefined) throw this.#lender.closed
      const lease = await this.#borrow(stack, signal)
      if (lease !== undefined && !signal.aborted) return lease
      // It was lent in the turn in which the caller gave up.
      if (lease !== undefined) this.release(lease)
    }
  }

  async #borrow(stack: string | undefined, signal: AbortSignal): Promise<Lease<C> | undefined> {
    const to = destination(this.#lender, this.#want.route)
    if (to.kind === 'host') {
      const borrower = this.#borrower(to.host, stack)
      return to.host.take(borrower) ?? to.host.wait(borrower, signal)
    }
    if (to.final) throw to.error ?? this.#unlisted()
    await this.#lender.changed.wait(signal)
    return undefined
  }

  #calledFrom(): string | undefined {
    return this.#lender.findsLeaks ? calledFrom() : undefined
  }

  #borrower(host: Host<C>, stack: string | undefined): Borrower<C> {
    return { fits: () => this.#goesTo(host), within: this.#want.within, stack }
  }

  #goesTo(host: Host<C>): boolean {
    if (this.#lender.closed !== undefined) return false
    try {
      const to = destination(this.#lender, this.#want.route)
      return to.kind === 'host' && to.host === host
    } catch {
      // A route that throws does so again when its own acquire asks it, and is heard there.
      return false
    }
  }

  #expired(): HaError {
    const to = destination(this.#lender, this.#want.route)
    if (to.kind === 'nowhere') return to.error ?? this.#unlisted()
    return whyWaiting(to.host, this.#lender.view)
  }

  #unlisted(): HaError {
    return new HaError('unreachable', `the ${this.#lender.name} pool knows no such endpoint`, {
      retryable: true,
    })
  }
}
