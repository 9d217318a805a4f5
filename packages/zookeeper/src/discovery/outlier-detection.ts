import type { Instance } from './instance.ts'

/**
 * The report of a call: its result, or that it has begun. `begun` counts for `least-connections`; each one must be
 * followed by `ok` or `error`.
 */
export type CallReport = 'begun' | 'ok' | 'error'

/** The values of a {@link CallReport}. */
export const callReports: readonly CallReport[] = ['begun', 'ok', 'error']

/** When an instance is ejected because calls to it failed, and for how long. */
export interface OutlierDetectionOptions {
  /**
   * The number of consecutive errors that eject an instance. A success resets the count, and so do `restMs` without an
   * error. Default 5.
   */
  readonly errors: number
  /** How long it is ejected before a single call tries it again, in milliseconds. Default 30 000. */
  readonly restMs: number
}

/** Tracks the calls of this client to the instances of a service, by process: a restarted instance has no history. */
export class OutlierDetector {
  readonly #options: OutlierDetectionOptions
  // Contains only instances with recent errors, so it is usually empty.
  readonly #states = new Map<string, OutlierState>()
  readonly #inFlight = new Map<string, number>()

  constructor(options: OutlierDetectionOptions) {
    this.#options = options
  }

  /** Forgets all other instances. */
  retain(instances: readonly Instance[]): void {
    const keys = new Set(instances.map(processKey))
    for (const map of [this.#states, this.#inFlight]) {
      for (const key of map.keys()) if (!keys.has(key)) map.delete(key)
    }
  }

  /** Records the report of a call. */
  report(instance: Instance, report: CallReport, nowMs: number): void {
    if (report === 'begun') {
      this.#inFlight.set(processKey(instance), this.inFlight(instance) + 1)
      return
    }
    this.#inFlight.set(processKey(instance), Math.max(0, this.inFlight(instance) - 1))
    this.#update(instance, (state) => afterOutcome(state, report, nowMs, this.#options))
  }

  /** Records that the instance was chosen for a call. */
  onPick(instance: Instance, nowMs: number): void {
    if (this.#states.size > 0) this.#update(instance, (state) => afterPick(state, nowMs, this.#options))
  }

  /** Until when the instance is ejected; undefined when it may be picked. */
  ejectedUntilMs(instance: Instance, nowMs: number): number | undefined {
    if (this.#states.size === 0) return undefined
    return ejectedUntilMs(this.#states.get(processKey(instance)) ?? initialOutlierState, nowMs)
  }

  /** The number of calls to the instance in flight. */
  inFlight(instance: Instance): number {
    return this.#inFlight.get(processKey(instance)) ?? 0
  }

  #update(instance: Instance, next: (state: OutlierState) => OutlierState): void {
    const key = processKey(instance)
    const state = next(this.#states.get(key) ?? initialOutlierState)
    if (state === initialOutlierState) this.#states.delete(key)
    else this.#states.set(key, state)
  }
}

// The same id with another registration time is another process.
function processKey({ id, registeredAtMs }: Instance): string {
  return `${registeredAtMs} ${id}`
}

/** The state of an instance by the calls of this client. */
export type OutlierState =
  /** In use. The last `errors` calls failed, the latest of them at `atMs`. */
  | { readonly kind: 'available'; readonly errors: number; readonly atMs: number }
  /** Not picked until `untilMs`. */
  | { readonly kind: 'ejected'; readonly untilMs: number }
  /** A single call tries the instance. Without a report before `untilMs`, another call may try it. */
  | { readonly kind: 'probing'; readonly untilMs: number }

/** The state without errors. */
export const initialOutlierState: OutlierState = { kind: 'available', errors: 0, atMs: 0 }

/**
 * The state after the outcome of a call. Consecutive failures are counted, not failures per time: two in a minute are
 * many among ten calls, and few among ten thousand. With five in a row, an instance that fails 1 % of its calls is ejected
 * once in ten thousand million calls, one that fails half of them after about sixty, and one that is down after five.
 */
export function afterOutcome(
  state: OutlierState,
  outcome: 'ok' | 'error',
  nowMs: number,
  options: OutlierDetectionOptions,
): OutlierState {
  switch (state.kind) {
    case 'available':
      return outcome === 'ok' ? initialOutlierState : afterError(state, nowMs, options)
    case 'probing':
      return outcome === 'ok' ? initialOutlierState : { kind: 'ejected', untilMs: nowMs + options.restMs }
    case 'ejected':
      // The call began before the ejection.
      return state
  }
}

/** The state after the instance was picked. The first pick after the ejection probes the instance. */
export function afterPick(
  state: OutlierState,
  nowMs: number,
  options: OutlierDetectionOptions,
): OutlierState {
  if (state.kind === 'available' || nowMs < state.untilMs) return state
  return { kind: 'probing', untilMs: nowMs + options.restMs }
}

/** Until when the instance is ejected; undefined when it may be picked. */
export function ejectedUntilMs(state: OutlierState, nowMs: number): number | undefined {
  return state.kind === 'available' || nowMs >= state.untilMs ? undefined : state.untilMs
}

// A caller that reports only failures, or calls once a day, has no success that resets the count.
function afterError(
  { errors: before, atMs }: Extract<OutlierState, { kind: 'available' }>,
  nowMs: number,
  options: OutlierDetectionOptions,
): OutlierState {
  const errors = nowMs - atMs > options.restMs ? 1 : before + 1
  return errors < options.errors
    ? { kind: 'available', errors, atMs: nowMs }
    : { kind: 'ejected', untilMs: nowMs + options.restMs }
}

/**
 * The instances that may be picked: those with the status `up` that are not ejected. At most half of them are left out:
 * when more have failed, the fault is more likely in this client or in an overload of all, and those that have been
 * ejected for the longest time are used again.
 */
export function withoutEjected(
  instances: readonly Instance[],
  ejectedUntil: (instance: Instance) => number | undefined,
): readonly Instance[] {
  const inService = instances.filter(({ status }) => status === 'up')
  const untilMs = new Map<Instance, number>()
  for (const instance of inService) {
    const until = ejectedUntil(instance)
    if (until !== undefined) untilMs.set(instance, until)
  }
  if (untilMs.size === 0) return inService
  const latestFirst = [...untilMs].sort(([, a], [, b]) => b - a).map(([instance]) => instance)
  const leftOut = new Set(latestFirst.slice(0, Math.floor(inService.length / 2)))
  return inService.filter((instance) => !leftOut.has(instance))
}
