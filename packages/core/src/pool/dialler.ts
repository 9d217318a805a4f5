import type { Endpoint } from '../address/endpoint.ts'
import { openWithin } from '../connection.ts'
import { asError, detachStack } from '../errors/ha-error.ts'
import { fullJitter } from '../policy/backoff.ts'
import { type Breaker, closedBreaker, dialBegun, dialFailed, waitBeforeDial } from '../policy/breaker.ts'
import { Notifier } from '../runtime/pulse.ts'
import type { PoolOptions } from './pool-options.ts'

export interface Dialling<C> {
  readonly endpoint: Endpoint
  readonly options: Pick<PoolOptions<C, unknown>, 'driver' | 'clock' | 'random' | 'connect'>
  /** Called with each dial that failed, before the pause that follows. */
  readonly onFailed: (error: Error) => void
}

/**
 * Dials one endpoint for all who want a connection there: a few at a time, and after a failure one single try in each
 * pause.
 */
export class Dialler<C> {
  readonly #dialling: Dialling<C>
  readonly #news = new Notifier()
  #breaker: Breaker = closedBreaker
  #underWay = 0

  constructor(dialling: Dialling<C>) {
    this.#dialling = dialling
  }

  /** How many dials are under way. */
  get underWay(): number {
    return this.#underWay
  }

  /** Why the last dial failed, until one succeeds. */
  get trouble(): Error | undefined {
    return this.#breaker.kind === 'closed' ? undefined : this.#breaker.error
  }

  /** Resolves with a connection, however long that takes. Rejects only with the signal's reason. */
  async dial(signal: AbortSignal): Promise<C> {
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
    const { connect, clock } = this.#dialling.options
    if (this.#underWay >= connect.parallel) return Number.POSITIVE_INFINITY
    return waitBeforeDial(this.#breaker, clock.now())
  }

  async #try(signal: AbortSignal): Promise<C | undefined> {
    const { endpoint, options, onFailed } = this.#dialling
    const { timeoutMs, backoff } = options.connect
    signal.throwIfAborted()
    this.#underWay += 1
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
      this.#underWay -= 1
      this.#news.notifyAll()
    }
  }

  // Until the time is over, or a dial has ended.
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms === Number.POSITIVE_INFINITY) return this.#news.wait(signal)
    const cancel = this.#dialling.options.clock.after(ms, () => this.#news.notifyAll())
    try {
      await this.#news.wait(signal)
    } finally {
      cancel()
    }
  }
}
