import type { Clock } from '@ha/core'
import {
  balancing,
  checked,
  count,
  group,
  type LinkedController,
  linkedController,
  milliseconds,
  Notifier,
  type OptionTable,
  optional,
} from '@ha/core/driver'
import { runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import { checkChoice, resolveCall, resolveOptions } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import type { DiscoveryContext } from './discovery-context.ts'
import type { Instance } from './instance.ts'
import {
  afterObservation,
  changesOf,
  type InstanceList,
  initialServedList,
  type PanicThresholdOptions,
  type ServedList,
  type ServiceChange,
} from './instance-list.ts'
import { type PickStrategy, pickInstance, type ZoneRule } from './load-balancer.ts'
import {
  type CallReport,
  callReports,
  type OutlierDetectionOptions,
  OutlierDetector,
  withoutEjected,
} from './outlier-detection.ts'

/**
 * How current a list is. `unread`: nothing has been read yet. `current`: it is the list of the registry. `stale`: it is
 * the last good list, because the registry is unavailable, may not be read, or is not followed any more. `guarded`: after
 * an outage the registry's list is shorter than the panic threshold, and missing instances are kept for a while.
 */
export type ServiceViewState = 'unread' | 'current' | 'stale' | 'guarded'

interface ServiceViewDeps {
  readonly context: DiscoveryContext
  readonly name: string
  readonly list: InstanceList
  readonly settings: ServiceSettings
  readonly onClosed: () => void
}

/** The live list of a service's instances. It can always be read, and an outage of the registry never empties it. */
export class ServiceView implements AsyncDisposable {
  /** The name of the service. */
  readonly name: string
  readonly #deps: ServiceViewDeps
  readonly #outliers: OutlierDetector
  readonly #changed = new Notifier()
  readonly #scope: LinkedController
  #served: ServedList = initialServedList
  #picks: number

  constructor(deps: ServiceViewDeps) {
    const { context, name, settings } = deps
    this.#deps = deps
    this.name = name
    this.#outliers = new OutlierDetector(settings.outlierDetection)
    // Clients that start at the same time start with different instances.
    this.#picks = Math.floor(context.random() * 2 ** 20)
    this.#scope = linkedController(context.signal)
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#follow(this.#scope.signal).catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) context.reportDefect(`the view of ${name}`, thrown)
    })
  }

  /** How current the list is. */
  get state(): ServiceViewState {
    const { kind } = this.#served
    return kind === 'recovered' ? 'current' : kind
  }

  /** Whether the served list may differ from that of the registry: `stale` or `guarded`. */
  get stale(): boolean {
    return this.state === 'stale' || this.state === 'guarded'
  }

  /** Why the list cannot be read, or an instance is missing from it; undefined when no reason is known. */
  get reason(): Error | undefined {
    return this.#deps.list.problem
  }

  /** The number of nodes that do not contain an instance. */
  get undecodable(): number {
    return this.#deps.list.current?.undecodable ?? 0
  }

  /** All listed instances, including those out of service. */
  all(): readonly Instance[] {
    return this.#served.instances
  }

  /**
   * The instance to call next. Undefined when no listed instance is in service, or nothing has been read yet. With
   * `sticky`, the same key gives the same instance.
   */
  pick(key?: string): Instance | undefined {
    const { settings, context } = this.#deps
    if (key !== undefined && typeof key !== 'string')
      throw new ZookeeperError('config-invalid', `pick of '${this.name}': expected a text as key`)
    const nowMs = this.#clock.now()
    const outliers = this.#outliers
    const candidates = withoutEjected(this.all(), (instance) => outliers.ejectedUntilMs(instance, nowMs))
    const chosen = pickInstance(candidates, {
      strategy: settings.strategy,
      key,
      picks: this.#picks,
      zone: settings.zone,
      inFlight: (instance) => outliers.inFlight(instance),
      random: context.random,
    })
    if (chosen === undefined) return undefined
    this.#picks += 1
    outliers.onPick(chosen, nowMs)
    return chosen
  }

  /**
   * Reports the result of a call: instances with too many consecutive errors are left out for a while, but never more
   * than half of them. `begun` counts a call as in flight until its `ok` or `error`, for `least-connections`.
   */
  report(instance: Instance, report: CallReport): void {
    if (typeof instance !== 'object' || instance === null)
      throw new ZookeeperError(
        'config-invalid',
        `report of '${this.name}': expected an instance that was picked`,
      )
    checkChoice('report', this.#deps.list.path, report, callReports)
    this.#outliers.report(instance, report, this.#clock.now())
  }

  /** Every change of the list, the whole list first, until the view is closed. */
  changes(): AsyncIterable<ServiceChange> {
    return changesOf(() => this.all(), this.#changed, this.#scope.signal)
  }

  /** Resolves when the list has been read once; rejects with `timed-out` and the reason, or with `closed`. */
  async ready(limit?: CallOptions): Promise<void> {
    const { context, list } = this.#deps
    const call = resolveCall('ready', limit, context.operationTimeoutMs)
    const expired = (): ZookeeperError => this.#notRead(call.timeoutMs)
    const wait = { what: `the list of '${this.name}'`, path: list.path, call, expired }
    await runWithinCall({ clock: context.clock, signal: this.#scope.signal }, wait, async (signal) => {
      while (this.#served.kind === 'unread') await this.#changed.wait(signal)
    })
  }

  /** Stops following the list. The last list can still be used. Idempotent. */
  async close(): Promise<void> {
    const { path } = this.#deps.list
    this.#scope.abort(new ZookeeperError('closed', 'its view is closed', { path }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #clock(): Clock {
    return this.#deps.context.clock
  }

  // From now on, the served list may be older than that of the registry.
  #onEnd(): void {
    const { list, onClosed } = this.#deps
    list.close()
    this.#update()
    onClosed()
  }

  async #follow(signal: AbortSignal): Promise<never> {
    for (;;) {
      this.#update()
      await this.#nextChange(signal)
      if (this.#served.kind !== 'unread') await this.#coalesce(signal)
    }
  }

  #update(): void {
    const { list, settings } = this.#deps
    const { current, stale } = list
    const observation =
      current === undefined || stale
        ? ({ kind: 'unavailable' } as const)
        : ({ kind: 'listed', instances: current.instances } as const)
    const before = this.#served
    this.#served = afterObservation(before, observation, this.#clock.now(), settings.panicThreshold)
    if (this.#served === before) return
    this.#outliers.retain(this.#served.instances)
    this.#changed.notifyAll()
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    const { list } = this.#deps
    const served = this.#served
    if (!('untilMs' in served)) return list.changed(signal)
    const graceMs = served.untilMs - this.#clock.now()
    return this.#forAtMost(graceMs, signal, (inner) => list.changed(inner))
  }

  // A change waits for further changes; an outage is shown at once.
  #coalesce(signal: AbortSignal): Promise<void> {
    const { context, list, settings } = this.#deps
    const waitMs = settings.coalesceMs * (0.5 + context.random() / 2)
    return this.#forAtMost(waitMs, signal, async (inner) => {
      while (!list.stale) await list.changed(inner)
    })
  }

  async #forAtMost(
    ms: number,
    signal: AbortSignal,
    wait: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const scope = linkedController(signal)
    const cancel = this.#clock.after(ms, () => scope.abort(timeIsUp))
    try {
      await wait(scope.signal)
    } catch (reason) {
      if (reason !== timeIsUp) throw reason
    } finally {
      cancel()
      scope.unlink()
    }
  }

  #notRead(timeoutMs: number): ZookeeperError {
    const { path } = this.#deps.list
    const cause = this.reason
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `the list of '${this.name}' was not read within ${timeoutMs} ms${why}`
    return new ZookeeperError('timed-out', message, { path, retryable: true, cause })
  }
}

// The reason of a wait that ends by its time limit.
const timeIsUp = new Error('the time is up')

/** How a service is followed, and how one of its instances is picked. */
export interface ServiceOptions {
  /** Default `round-robin`. `least-busy` is the former word for `least-connections`. */
  readonly strategy?: PickStrategy | 'least-busy' | undefined
  /** The zone of this client, for `zone`. */
  readonly zone?: ZoneOptions | undefined
  /** When an instance is left out because consecutive calls to it failed. */
  readonly outlierDetection?: Partial<OutlierDetectionOptions> | undefined
  /** When a list that became short in an outage is not used yet. */
  readonly panicThreshold?: Partial<PanicThresholdOptions> | undefined
  /**
   * How long changes are collected before the list is read again, and once more before it is published, in milliseconds;
   * each time a random part of it, so that clients do not read at the same time. A change is thus published after up to
   * twice this time. Default 100.
   */
  readonly coalesceMs?: number | undefined
  /** @deprecated The former name of `outlierDetection`, read for one more version. */
  readonly shun?: Partial<OutlierDetectionOptions> | undefined
  /** @deprecated The former name of `panicThreshold`, read for one more version. */
  readonly guard?: Partial<PanicThresholdOptions> | undefined
}

/** The zone of a client. */
export interface ZoneOptions {
  /** The zone, as in the metadata of instances under `zone`. */
  readonly name: string
  /** The minimum number of its instances for the other zones not to be used. Default 2. */
  readonly atLeast?: number | undefined
}

interface ServiceSettings {
  readonly strategy: PickStrategy
  readonly zone: ZoneRule | undefined
  readonly outlierDetection: OutlierDetectionOptions
  readonly panicThreshold: PanicThresholdOptions
  readonly coalesceMs: number
}

/** The options of a view, checked and completed. */
export function resolveServiceOptions(options: ServiceOptions, what: string): ServiceSettings {
  const settings = resolveOptions(serviceTable, withCurrentNames(options), what)
  if (settings.strategy === 'zone' && settings.zone === undefined) {
    throw new ZookeeperError('config-invalid', `${what}.zone: expected { name } for the strategy 'zone'`)
  }
  return settings
}

// A value under a former name that also stands under its current one is left in place, and refused as unknown.
function withCurrentNames(options: ServiceOptions): ServiceOptions {
  if (typeof options !== 'object' || options === null) return options
  const { shun, guard, ...current } = options
  return {
    ...(shun === undefined
      ? {}
      : current.outlierDetection === undefined
        ? { outlierDetection: shun }
        : { shun }),
    ...(guard === undefined
      ? {}
      : current.panicThreshold === undefined
        ? { panicThreshold: guard }
        : { guard }),
    ...current,
  }
}

const hourMs = 3_600_000

const zoneTable: OptionTable<ZoneRule> = {
  name: checked(readZone, ''),
  atLeast: count({ default: 2, min: 1, max: 100_000 }),
}

const serviceTable: OptionTable<ServiceSettings> = {
  strategy: balancing(['round-robin', 'random', 'sticky', 'least-connections', 'zone'], 'round-robin'),
  zone: optional(group(zoneTable)),
  // Envoy's defaults: five in a row (`consecutive_5xx`), then thirty seconds (`base_ejection_time`); Finagle also counts
  // to five. Curator's two errors in thirty seconds eject busy instances.
  outlierDetection: group<OutlierDetectionOptions>({
    errors: count({ default: 5, min: 1, max: 1_000 }),
    restMs: milliseconds({ default: 30_000, min: 1, max: hourMs }),
  }),
  panicThreshold: group<PanicThresholdOptions>({
    // Longer than a session of ten seconds needs to expire and to be replaced.
    graceMs: milliseconds({ default: 15_000, min: 0, max: hourMs }),
    share: checked(readShare, 0.5),
  }),
  coalesceMs: milliseconds({ default: 100, min: 0, max: 60_000 }),
}

function readZone(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ZookeeperError('config-invalid', `${path}: expected the name of the client's zone`)
}

function readShare(value: unknown, path: string): number {
  if (value === undefined) return 0.5
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw new ZookeeperError('config-invalid', `${path}: expected a number from 0 to 1`)
}
