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
import { functionOf, OptionCalls } from '../option-calls.ts'
import { type LinkedController, linkedController, raceAbort, withDeadline } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'

/** Where the endpoints come from: a fixed list, or a function that is called before each round of dials. */
export type EndpointSource = readonly Endpoint[] | EndpointFunction

type EndpointFunction = (signal: AbortSignal) => Promise<readonly Endpoint[]>

// One call of the source, shared by all that wait for it; the last one to leave aborts it.
interface SharedRefresh {
  readonly answer: Promise<void>
  readonly scope: LinkedController
  waiting: number
}

export interface EndpointRegistryOptions<R> {
  /** The rules of changes of health. Default: the last observation decides. */
  readonly rules?: HealthRules
  /** What the source is called in errors. Default: the function of the option `addresses`. */
  readonly sourceName?: string
  /** Called in the turn in which the view changes. */
  readonly onChange?: (view: View<R>, before: View<R>) => void
}

/** The current view of one cluster, shared by everything that dials it. The one writer of the view. */
export class EndpointRegistry<R = unknown> {
  readonly #clock: Clock
  readonly #source: EndpointSource
  readonly #rules: HealthRules
  readonly #onChange: (view: View<R>, before: View<R>) => void
  #view: View<R> = emptyView
  readonly #sourceName: string
  readonly #calls: OptionCalls
  #refreshing: SharedRefresh | undefined

  constructor(
    clock: Clock,
    source: EndpointSource,
    { rules, sourceName, onChange }: EndpointRegistryOptions<R> = {},
  ) {
    this.#clock = clock
    this.#source = source
    this.#sourceName = sourceName ?? functionOf('addresses')
    this.#calls = new OptionCalls(clock)
    this.#rules = rules ?? trustLastObservation
    this.#onChange = onChange ?? (() => undefined)
    if (typeof source !== 'function') this.observe({ kind: 'listed', endpoints: source, atMs: clock.now() })
  }

  get view(): View<R> {
    return this.#view
  }

  /** The error for a source that is silent, while it is called. */
  get waitingFor(): HaError | undefined {
    return this.#calls.waitingFor
  }

  observe(fact: Fact<R>): void {
    if ('error' in fact && fact.error !== undefined) detachStack(fact.error)
    const before = this.#view
    this.#view = observe(before, fact, this.#rules)
    if (this.#view !== before) this.#onChange(this.#view, before)
  }

  /**
   * Calls the source again. When it fails, the last good list is kept and the view holds the error, so a caller that has
   * a list need not wait. Rejects with the source's error, `timed-out`, or the signal's reason. Concurrent callers share
   * one call, which is aborted when the last of them leaves.
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
      new HaError('timed-out', `${this.#sourceName} did not answer within ${timeoutMs} ms`)
    try {
      const endpoints = await withDeadline(this.#clock, { timeoutMs, signal, expired }, (inner) =>
        this.#calls.track(this.#sourceName, () => source(inner), inner),
      )
      if (endpoints.length === 0)
        throw new HaError('config-invalid', `${this.#sourceName} returned an empty list`)
      this.observe({ kind: 'listed', endpoints, atMs: this.#clock.now() })
    } catch (thrown) {
      // The abort of a refresh is no failure of the source.
      if (!signal.aborted) this.observe({ kind: 'not-listed', error: asError(thrown) })
      throw thrown
    }
  }

  #leave(refreshing: SharedRefresh): void {
    if (this.#refreshing === refreshing) this.#refreshing = undefined
    refreshing.scope.abort(new HaError('aborted', 'the addresses are not needed any more'))
  }
}
