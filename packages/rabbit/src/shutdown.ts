import type { Clock } from '@ha/core'
import { linkedController } from '@ha/core/driver'
import type { Consumers } from './consumer/consumers.ts'
import { rabbitError } from './errors.ts'
import type { Links } from './links.ts'
import type { Publishers } from './publisher/publishers.ts'

/** What became of everything that was under way. */
export interface DrainReport {
  /** Messages that the broker confirmed during the drain. */
  readonly confirmed: number
  /** Messages that were sent and not confirmed in time: nobody knows. Their promises say `unknown`. */
  readonly unknown: number
  /** Messages that were never sent. Their promises say `not-done`. */
  readonly notSent: number
  /** Handlers that were still at work; their messages go back to the queue. */
  readonly abandoned: number
}

type ShutdownState =
  | { readonly kind: 'open' }
  | { readonly kind: 'draining'; readonly report: Promise<DrainReport> }

// How much of close()'s time is kept for telling the broker goodbye, and never more than half of it.
const closeHandshakeMs = 500

/** The end of a client: finite, counted, and the same for everybody who asks. */
export class Shutdown {
  readonly #clock: Clock
  readonly #links: Links
  readonly #publishers: Publishers
  readonly #consumers: Consumers
  /** Fires when the end begins. */
  readonly #started = linkedController()
  /** Fires when the time is up of anybody who asked for the end. */
  readonly #deadline = linkedController()
  #state: ShutdownState = { kind: 'open' }
  #closing: Promise<DrainReport> | undefined

  constructor(clock: Clock, links: Links, publishing: Publishers, consuming: Consumers) {
    this.#clock = clock
    this.#links = links
    this.#publishers = publishing
    this.#consumers = consuming
  }

  /** Fires with `closed` when the end begins. */
  get started(): AbortSignal {
    return this.#started.signal
  }

  /** Throws `closed` once the end has begun. */
  checkOpen(): void {
    if (this.#state.kind !== 'open') throw rabbitError('closed', 'the client is closed')
  }

  /** Lets what is under way finish, up to `timeoutMs`. Asked for again, also by a close, it only becomes shorter. */
  async drain(timeoutMs: number): Promise<DrainReport> {
    const expired = (): Error => rabbitError('timed-out', `not all was done within ${timeoutMs} ms`)
    const cancel = this.#clock.after(timeoutMs, () => this.#deadline.abort(expired()))
    try {
      if (this.#state.kind === 'open') this.#state = { kind: 'draining', report: this.#drain(timeoutMs) }
      return await this.#state.report
    } finally {
      cancel()
    }
  }

  /** Drains, then ends the connections, all within `timeoutMs`. */
  close(timeoutMs: number): Promise<DrainReport> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  // Consumers first: their handlers may still publish what they have made of their last messages.
  async #drain(timeoutMs: number): Promise<DrainReport> {
    this.#started.abort(rabbitError('closed', 'the client is closed'))
    const { signal } = this.#deadline
    const untilMs = this.#clock.now() + timeoutMs
    const confirmedBefore = this.#publishers.confirmed
    const { abandoned } = await this.#consumers.stop(signal)
    const leftMs = Math.max(0, untilMs - this.#clock.now())
    const { unknown, notSent } = await this.#publishers.drain(leftMs, signal)
    return { confirmed: this.#publishers.confirmed - confirmedBefore, unknown, notSent, abandoned }
  }

  async #close(timeoutMs: number): Promise<DrainReport> {
    const keptMs = Math.min(closeHandshakeMs, timeoutMs / 2)
    const report = await this.drain(timeoutMs - keptMs)
    await Promise.all([this.#links.publish.close(keptMs), this.#links.consume.close(keptMs)])
    return report
  }
}
