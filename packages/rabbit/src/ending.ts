import type { Clock } from '@ha/core'
import { rabbitError } from './codes.ts'
import type { Consuming } from './consume/consuming.ts'
import type { Links } from './links.ts'
import type { Publishing } from './publish/publishing.ts'

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

type State = { readonly kind: 'open' } | { readonly kind: 'draining'; readonly report: Promise<DrainReport> }

// How much of close()'s time is kept for telling the broker goodbye.
const goodbyeMs = 500

/** The end of a client: finite, counted, and the same for everybody who asks. */
export class Ending {
  readonly #clock: Clock
  readonly #links: Links
  readonly #publishing: Publishing
  readonly #consuming: Consuming
  #state: State = { kind: 'open' }
  #closing: Promise<DrainReport> | undefined

  constructor(clock: Clock, links: Links, publishing: Publishing, consuming: Consuming) {
    this.#clock = clock
    this.#links = links
    this.#publishing = publishing
    this.#consuming = consuming
  }

  /** Throws `closed` once the end has begun. */
  checkOpen(): void {
    if (this.#state.kind !== 'open') throw rabbitError('closed', 'the client is closed')
  }

  /** Lets what is under way finish, up to `timeoutMs`. The first call decides the time. */
  drain(timeoutMs: number): Promise<DrainReport> {
    if (this.#state.kind === 'open') this.#state = { kind: 'draining', report: this.#drain(timeoutMs) }
    return this.#state.report
  }

  /** Drains, then ends the connections, all within `timeoutMs`. */
  close(timeoutMs: number): Promise<DrainReport> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  // Consumers first: their handlers may still publish what they have made of their last messages.
  async #drain(timeoutMs: number): Promise<DrainReport> {
    const untilMs = this.#clock.now() + timeoutMs
    const confirmedBefore = this.#publishing.confirmed
    const { abandoned } = await this.#consuming.stop(timeoutMs)
    const { unknown, notSent } = await this.#publishing.drain(Math.max(0, untilMs - this.#clock.now()))
    return { confirmed: this.#publishing.confirmed - confirmedBefore, unknown, notSent, abandoned }
  }

  async #close(timeoutMs: number): Promise<DrainReport> {
    const report = await this.drain(Math.max(0, timeoutMs - goodbyeMs))
    await Promise.all([this.#links.publish.close(goodbyeMs), this.#links.consume.close(goodbyeMs)])
    return report
  }
}
