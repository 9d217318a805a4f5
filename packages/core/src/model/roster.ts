import type { Endpoint } from '../address/endpoint.ts'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import { HaError } from './error.ts'
import { emptyView, type Fact, observe, type View } from './view.ts'

/** Where the endpoints come from: a fixed list, or a function that is asked again before each round of dials. */
export type EndpointSource = readonly Endpoint[] | ((signal: AbortSignal) => Promise<readonly Endpoint[]>)

/** The current view of one cluster, shared by everything that dials it. The one writer of the view. */
export class Roster {
  readonly #clock: Clock
  readonly #source: EndpointSource
  #view: View = emptyView
  #refreshing: Promise<void> | undefined

  constructor(clock: Clock, source: EndpointSource) {
    this.#clock = clock
    this.#source = source
    if (typeof source !== 'function') this.observe({ kind: 'listed', endpoints: source, atMs: clock.now() })
  }

  get view(): View {
    return this.#view
  }

  observe(fact: Fact): void {
    this.#view = observe(this.#view, fact)
  }

  /**
   * Asks the source again. With a list in hand nobody should wait for this: the last good list is kept when the
   * source fails. Rejects with the source's error or `timed-out`. Callers at the same time share one question.
   */
  refresh(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const source = this.#source
    if (typeof source !== 'function') return Promise.resolve()
    this.#refreshing ??= this.#ask(source, timeoutMs, signal).finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  async #ask(
    source: (signal: AbortSignal) => Promise<readonly Endpoint[]>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const expired = (): HaError =>
      new HaError('timed-out', `the address function gave no answer within ${timeoutMs} ms`)
    const endpoints = await withDeadline(this.#clock, { timeoutMs, signal, expired }, source)
    if (endpoints.length === 0) throw new HaError('config-invalid', 'the address function gave an empty list')
    this.observe({ kind: 'listed', endpoints, atMs: this.#clock.now() })
  }
}
