import { HaError } from '../errors/ha-error.ts'
import { linkedController } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'

export interface LifecycleOptions<R> {
  readonly clock: Clock
  /** Makes the client's `closed` error. */
  readonly closedError: () => Error
  /**
   * Lets finish what is under way, within `timeoutMs`, and no longer than until `expired` fires: a later call of
   * `drain` or `close` may have less time. Never rejects.
   */
  readonly drain: (timeoutMs: number, expired: AbortSignal) => Promise<R>
  /** Ends the connections within `timeoutMs`. Never rejects. */
  readonly end: (timeoutMs: number) => Promise<void>
  /** How much of the time of `close` is kept for {@link end}, in milliseconds. */
  readonly endMs: (timeoutMs: number) => number
}

/** The life of a client: open, draining, closed. */
export class Lifecycle<R> {
  readonly #options: LifecycleOptions<R>
  readonly #closing = linkedController()
  readonly #expired = linkedController()
  #state: 'open' | 'draining' | 'closed' = 'open'
  #report: Promise<R> | undefined
  #closed: Promise<R> | undefined

  constructor(options: LifecycleOptions<R>) {
    this.#options = options
  }

  /** `closed` as soon as `close` has ended the connections. */
  get state(): 'open' | 'draining' | 'closed' {
    return this.#state
  }

  /** Fires with the `closed` error as soon as the client takes no more calls: when draining or closing begins. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Throws the `closed` error unless the client is open. */
  checkOpen(): void {
    if (this.#state !== 'open') throw this.#options.closedError()
  }

  /** Drains once. A later call gets the same report; it can only make the time shorter. */
  async drain(timeoutMs: number): Promise<R> {
    const expired = (): HaError => new HaError('timed-out', `not drained within ${timeoutMs} ms`)
    const cancel = this.#options.clock.after(timeoutMs, () => this.#expired.abort(expired()))
    try {
      this.#report ??= this.#begin(timeoutMs)
      return await this.#report
    } finally {
      cancel()
    }
  }

  /** Drains and ends the connections, all within `timeoutMs`. Idempotent. */
  close(timeoutMs: number): Promise<R> {
    this.#closed ??= this.#close(timeoutMs)
    return this.#closed
  }

  #begin(timeoutMs: number): Promise<R> {
    this.#state = 'draining'
    this.#closing.abort(this.#options.closedError())
    return this.#options.drain(timeoutMs, this.#expired.signal)
  }

  async #close(timeoutMs: number): Promise<R> {
    const endMs = this.#options.endMs(timeoutMs)
    const report = await this.drain(timeoutMs - endMs)
    await this.#options.end(endMs)
    this.#state = 'closed'
    return report
  }
}
