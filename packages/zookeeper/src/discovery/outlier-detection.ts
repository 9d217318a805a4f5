import type { Instance } from './instance.ts'

/**
 * What became of a call, or that one has begun: `begun` is for `least-busy`, and each of them ends with `ok` or `error`.
 */
export type CallReport = 'begun' | 'ok' | 'error'

/** What this client remembers of its calls to the instances of a service; of one that was started anew, nothing. */
export class OutlierDetector {
  readonly #options: OutlierDetectionOptions
  // Who is not in here is trusted, and nothing counts against him: most of the time it is empty.
  readonly #states = new Map<string, OutlierState>()
  readonly #inFlight = new Map<string, number>()

  constructor(rules: OutlierDetectionOptions) {
    this.#options = rules
  }

  /** Forgets all but these. */
  retain(instances: readonly Instance[]): void {
    const starts = new Set(instances.map(processKey))
    for (const kept of [this.#states, this.#inFlight]) {
      for (const start of kept.keys()) if (!starts.has(start)) kept.delete(start)
    }
  }

  /** Takes in what became of a call. */
  report(instance: Instance, report: CallReport, nowMs: number): void {
    if (report === 'begun') {
      this.#inFlight.set(processKey(instance), this.inFlight(instance) + 1)
      return
    }
    this.#inFlight.set(processKey(instance), Math.max(0, this.inFlight(instance) - 1))
    this.#update(instance, (standing) => afterOutcome(standing, report, nowMs, this.#options))
  }

  /** It was chosen for a call. */
  onPick(instance: Instance, nowMs: number): void {
    if (this.#states.size > 0) this.#update(instance, (standing) => afterPick(standing, nowMs, this.#options))
  }

  /** Until when it is left out; undefined when it may be picked. */
  ejectedUntilMs(instance: Instance, nowMs: number): number | undefined {
    if (this.#states.size === 0) return undefined
    return ejectedUntilMs(this.#states.get(processKey(instance)) ?? available, nowMs)
  }

  /** How many calls to it have begun and not ended. */
  inFlight(instance: Instance): number {
    return this.#inFlight.get(processKey(instance)) ?? 0
  }

  #update(instance: Instance, next: (standing: OutlierState) => OutlierState): void {
    const start = processKey(instance)
    const standing = next(this.#states.get(start) ?? available)
    if (standing === available) this.#states.delete(start)
    else this.#states.set(start, standing)
  }
}

// The same id with another time of registration is another process.
function processKey({ id, registeredAtMs }: Instance): string {
  return `${registeredAtMs} ${id}`
}

/** What this client makes of an instance after the calls that it sent there. */
export type OutlierState =
  /** It is used; its last `errors` calls failed, one after the other, and the last of them at `atMs`. */
  | { readonly kind: 'trusted'; readonly errors: number; readonly atMs: number }
  /** It is left out until `untilMs`. */
  | { readonly kind: 'shunned'; readonly untilMs: number }
  /** A single caller tries it; when he says nothing before `untilMs`, another one may. */
  | { readonly kind: 'on-trial'; readonly untilMs: number }

/** When an instance is left out, and for how long. */
export interface OutlierDetectionOptions {
  /** How many calls in a row have to fail: a success begins the count anew, and so do `restMs` without an error. Default 5. */
  readonly errors: number
  /** How long it is left out before a single caller tries it, in milliseconds. Default 30 000. */
  readonly restMs: number
}

/** Nothing is known against it. */
export const available: OutlierState = { kind: 'trusted', errors: 0, atMs: 0 }

/**
 * What is made of it after the outcome of a call. Failures are counted in a row and not in a time: two in a minute are
 * a lot among ten calls, and nothing among ten thousand. With five in a row, whoever fails one call in a hundred is left
 * out once in ten thousand million calls, whoever fails one in two after about sixty, and whoever is gone after five.
 */
export function afterOutcome(
  standing: OutlierState,
  outcome: 'ok' | 'error',
  nowMs: number,
  rules: OutlierDetectionOptions,
): OutlierState {
  switch (standing.kind) {
    case 'trusted':
      return outcome === 'ok' ? available : afterError(standing, nowMs, rules)
    case 'on-trial':
      return outcome === 'ok' ? available : { kind: 'shunned', untilMs: nowMs + rules.restMs }
    case 'shunned':
      // Answers to what was asked before it was left out: they say nothing new.
      return standing
  }
}

/** What is made of it once it was picked: after its rest, that is the trial. */
export function afterPick(
  standing: OutlierState,
  nowMs: number,
  rules: OutlierDetectionOptions,
): OutlierState {
  if (standing.kind === 'trusted' || nowMs < standing.untilMs) return standing
  return { kind: 'on-trial', untilMs: nowMs + rules.restMs }
}

/** Until when it is left out; undefined when it may be picked. */
export function ejectedUntilMs(standing: OutlierState, nowMs: number): number | undefined {
  return standing.kind === 'trusted' || nowMs >= standing.untilMs ? undefined : standing.untilMs
}

// Whoever reports failures alone, or calls once a day, has no success to begin the count anew.
function afterError(
  { errors: before, atMs }: Extract<OutlierState, { kind: 'trusted' }>,
  nowMs: number,
  rules: OutlierDetectionOptions,
): OutlierState {
  const errors = nowMs - atMs > rules.restMs ? 1 : before + 1
  return errors < rules.errors
    ? { kind: 'trusted', errors, atMs: nowMs }
    : { kind: 'shunned', untilMs: nowMs + rules.restMs }
}

/**
 * The instances that may be picked: those that want to be used, without those that are left out. At most half of them
 * are: when more have failed it is likelier that the fault is ours, or that all of them are overloaded, and those that
 * have been left out for the longest are used again.
 */
export function withoutEjected(
  instances: readonly Instance[],
  leftOutUntilMs: (instance: Instance) => number | undefined,
): readonly Instance[] {
  const wanted = instances.filter(({ status }) => status === 'up')
  const untilMs = new Map<Instance, number>()
  for (const instance of wanted) {
    const until = leftOutUntilMs(instance)
    if (until !== undefined) untilMs.set(instance, until)
  }
  if (untilMs.size === 0) return wanted
  const latestFirst = [...untilMs].sort(([, a], [, b]) => b - a).map(([instance]) => instance)
  const leftOut = new Set(latestFirst.slice(0, Math.floor(wanted.length / 2)))
  return wanted.filter((instance) => !leftOut.has(instance))
}
