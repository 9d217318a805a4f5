import type { Endpoint } from '../address/endpoint.ts'
import {
  emptyView,
  type Fact,
  type HealthRules,
  observe,
  trustLastObservation,
  type View,
} from '../cluster/cluster-view.ts'
import { asError, detachStack, HaError } from '../errors/ha-error.ts'
import { type LinkedController, linkedController, raceAbort, withDeadline } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'

/** Where the endpoints come from: a fixed list, or a function that is asked again before each round of dials. */
export type EndpointSource = readonly Endpoint[] | EndpointFunction

type EndpointFunction = (signal: AbortSignal) => Promise<readonly Endpoint[]>

// The source is being asked. It belongs to everybody who waits for the answer, and ends with the last of them.
interface SharedRefresh {
  readonly answer: Promise<void>
  readonly scope: LinkedController
  waiting: number
}

export interface EndpointRegistryOptions<R> {
  /** When an endpoint changes its health. Default: the last sight of it is believed. */
  readonly rules?: HealthRules
  /** Called within the turn in which the view changes. */
  readonly onChange?: (view: View<R>, before: View<R>) => void
}

/** The current view of one cluster, shared by everything that dials it. The one writer of the view. */
export class EndpointRegistry<R = unknown> {
  readonly #clock: Clock
  readonly #source: EndpointSource
  readonly #rules: HealthRules
  readonly #onChange: (view: View<R>, before: View<R>) => void
  #view: View<R> = emptyView
  #refreshing: SharedRefresh | undefined

  constructor(clock: Clock, source: EndpointSource, { rules, onChange }: EndpointRegistryOptions<R> = {}) {
    this.#clock = clock
    this.#source = source
    this.#rules = rules ?? trustLastObservation
    this.#onChange = onChange ?? (() => undefined)
    if (typeof source !== 'function') this.observe({ kind: 'listed', endpoints: source, atMs: clock.now() })
  }

  get view(): View<R> {
    return this.#view
  }

  observe(fact: Fact<R>): void {
    if ('error' in fact) detachStack(fact.error)
    const before = this.#view
    this.#view = observe(before, fact, this.#rules)
    if (this.#view !== before) this.#onChange(this.#view, before)
  }

  /**
   * Asks the source again. With a list in hand nobody should wait for this: the last good list is kept when the
   * source fails, and the view says why it did. Rejects with the source's error, `timed-out`, or the signal's reason.
   * Callers at the same time share one question, which goes on until the last of them has gone.
   */
  async refresh(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const source = this.#source
    if (typeof source !== 'function') return
    signal.throwIfAborted()
    this.#refreshing ??= this.#start(source, timeoutMs)
    const refreshing = this.#refreshing
    refreshing.waiting += 1
    try {
      await raceAbort(refreshing.answer, signal, () => undefined)
    } finally {
      refreshing.waiting -= 1
      if (refreshing.waiting === 0) this.#leave(refreshing)
    }
  }

  #start(source: EndpointFunction, timeoutMs: number): SharedRefresh {
    const scope = linkedController()
    return { answer: this.#read(source, timeoutMs, scope.signal), scope, waiting: 0 }
  }

  async #read(source: EndpointFunction, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const expired = (): HaError =>
      new HaError('timed-out', `the address function gave no answer within ${timeoutMs} ms`)
    try {
      const endpoints = await withDeadline(this.#clock, { timeoutMs, signal, expired }, source)
      if (endpoints.length === 0)
        throw new HaError('config-invalid', 'the address function gave an empty list')
      this.observe({ kind: 'listed', endpoints, atMs: this.#clock.now() })
    } catch (thrown) {
      // That nobody waits any more is no failure of the source.
      if (!signal.aborted) this.observe({ kind: 'not-listed', error: asError(thrown) })
      throw thrown
    }
  }

  #leave(refreshing: SharedRefresh): void {
    if (this.#refreshing === refreshing) this.#refreshing = undefined
    refreshing.scope.abort(new HaError('aborted', 'nobody waits for the addresses any more'))
  }
}
