import type { Clock } from '@ha/core'
import {
  checked,
  count,
  group,
  type LinkedController,
  linkedController,
  milliseconds,
  Notifier,
  type OptionTable,
  oneOf,
} from '@ha/core/driver'
import { runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import { resolveCall, resolveOptions } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import type { DiscoveryContext } from './discovery-context.ts'
import type { Instance } from './instance.ts'
import {
  afterObservation,
  changesOf,
  type InstanceList,
  type PanicThresholdOptions,
  type ServedList,
  type ServiceChange,
  unread,
} from './instance-list.ts'
import { type PickStrategy, pickInstance, type ZoneRule } from './load-balancer.ts'
import { optional } from './optional.ts'
import {
  type CallReport,
  type OutlierDetectionOptions,
  OutlierDetector,
  withoutEjected,
} from './outlier-detection.ts'

/**
 * How far a list can be trusted: nothing was read yet, it is what the registry says, it is the last good one while the
 * registry is away, may not be read, or is not followed any more, or it is kept for a while because the registry came
 * back with next to nothing.
 */
export type ServiceViewState = 'unread' | 'current' | 'stale' | 'guarded'

interface ServiceViewDeps {
  readonly context: DiscoveryContext
  readonly name: string
  readonly list: InstanceList
  readonly settings: ServiceSettings
  readonly onClosed: () => void
}

/** The live list of a service's instances. It can always be read, and is never emptied by trouble of the registry. */
export class ServiceView implements AsyncDisposable {
  readonly name: string
  readonly #deps: ServiceViewDeps
  readonly #outliers: OutlierDetector
  readonly #changed = new Notifier()
  readonly #scope: LinkedController
  #served: ServedList = unread
  #picks: number

  constructor(parts: ServiceViewDeps) {
    const { context: ground, name, settings } = parts
    this.#deps = parts
    this.name = name
    this.#outliers = new OutlierDetector(settings.outlierDetection)
    // Clients that start together do not all begin with the same instance.
    this.#picks = Math.floor(ground.random() * 2 ** 20)
    this.#scope = linkedController(ground.signal)
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#follow(this.#scope.signal).catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) ground.reportDefect(`the view of ${name}`, thrown)
    })
  }

  get state(): ServiceViewState {
    const { kind } = this.#served
    return kind === 'returned' ? 'current' : kind
  }

  /** Whether the list is not followed at this moment, or not believed: what is served may be older than it. */
  get stale(): boolean {
    return this.state === 'stale' || this.state === 'guarded'
  }

  /** Why the list is not read, or an instance is missing from it; undefined when nothing is known. */
  get reason(): Error | undefined {
    return this.#deps.list.trouble
  }

  /** How many nodes beside the instances hold something that is none. */
  get undecodable(): number {
    return this.#deps.list.current?.undecodable ?? 0
  }

  /** Everything that is listed, also what is out of service. */
  all(): readonly Instance[] {
    return this.#served.instances
  }

  /**
   * The instance to call next; undefined when the registry lists none that wants to be used, or has never been read.
   * For `sticky`, the same key gives the same instance.
   */
  pick(key?: string): Instance | undefined {
    const { settings, context: ground } = this.#deps
    const nowMs = this.#clock.now()
    const reputation = this.#outliers
    const candidates = withoutEjected(this.all(), (instance) => reputation.ejectedUntilMs(instance, nowMs))
    const chosen = pickInstance(candidates, {
      strategy: settings.strategy,
      key,
      picks: this.#picks,
      zone: settings.zone,
      inFlight: (instance) => reputation.inFlight(instance),
      random: ground.random,
    })
    if (chosen === undefined) return undefined
    this.#picks += 1
    reputation.onPick(chosen, nowMs)
    return chosen
  }

  /**
   * Says what became of a call: instances with too many errors in a row are left out for a while, but never more than
   * half of them. `begun` counts a call as under way until its `ok` or `error`, for `least-busy`.
   */
  report(instance: Instance, report: CallReport): void {
    this.#outliers.report(instance, report, this.#clock.now())
  }

  /** Every change of the list, beginning with the whole of it, until the view is closed. */
  changes(): AsyncIterable<ServiceChange> {
    return changesOf(() => this.all(), this.#changed, this.#scope.signal)
  }

  /** Resolves when the list has been read once; rejects with `timed-out` and the reason, or with `closed`. */
  async ready(limit?: CallOptions): Promise<void> {
    const { context: ground, list: listing } = this.#deps
    const call = resolveCall('ready', limit, ground.operationTimeoutMs)
    const expired = (): ZookeeperError => this.#notRead(call.timeoutMs)
    const limits = { what: `the list of '${this.name}'`, path: listing.path, call, expired }
    await runWithinCall({ clock: ground.clock, signal: this.#scope.signal }, limits, async (signal) => {
      while (this.#served.kind === 'unread') await this.#changed.wait(signal)
    })
  }

  /** Stops following the list; what was read last can still be picked from. Idempotent. */
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

  // What is served may be older than the registry from now on.
  #onEnd(): void {
    const { list: listing, onClosed } = this.#deps
    listing.close()
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
    const { list: listing, settings } = this.#deps
    const { current, stale } = listing
    const sighting =
      current === undefined || stale
        ? ({ kind: 'away' } as const)
        : ({ kind: 'listed', instances: current.instances } as const)
    const before = this.#served
    this.#served = afterObservation(before, sighting, this.#clock.now(), settings.panicThreshold)
    if (this.#served === before) return
    this.#outliers.retain(this.#served.instances)
    this.#changed.notifyAll()
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    const { list: listing } = this.#deps
    const served = this.#served
    if (!('untilMs' in served)) return listing.changed(signal)
    const graceMs = served.untilMs - this.#clock.now()
    return this.#forAtMost(graceMs, signal, (inner) => listing.changed(inner))
  }

  // What is listed can wait until all that changes together has changed; an outage is said at once.
  #coalesce(signal: AbortSignal): Promise<void> {
    const { context: ground, list: listing, settings } = this.#deps
    const gatherMs = settings.coalesceMs * (0.5 + ground.random() / 2)
    return this.#forAtMost(gatherMs, signal, async (inner) => {
      while (!listing.stale) await listing.changed(inner)
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

// Why a wait ends early.
const timeIsUp = new Error('the time is up')

/** How a service is seen, and how one of its instances is picked. */
export interface ServiceOptions {
  /** Default `round-robin`. */
  readonly strategy?: PickStrategy | undefined
  /** Where this client is, for `zone`. */
  readonly zone?: ZoneOptions | undefined
  /** When an instance is left out because calls to it failed, one after the other. */
  readonly outlierDetection?: Partial<OutlierDetectionOptions> | undefined
  /** When a list that has become short in an outage is not believed. */
  readonly panicThreshold?: Partial<PanicThresholdOptions> | undefined
  /**
   * For how long changes are gathered before the list is read again, and then once more before it is told, in
   * milliseconds; each time a random part of it, so that not all clients read at once. What changes is so told after up
   * to twice this. Default 100.
   */
  readonly coalesceMs?: number | undefined
}

export interface ZoneOptions {
  /** The zone, as it stands in the metadata of instances under `zone`. */
  readonly name: string
  /** How many of its instances have to be there for the others not to be picked. Default 2. */
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
  const settings = resolveOptions(serviceTable, options, what)
  if (settings.strategy === 'zone' && settings.zone === undefined) {
    throw new ZookeeperError('config-invalid', `${what}.zone: expected { name } for the strategy 'zone'`)
  }
  return settings
}

const hour = 3_600_000

const zoneTable: OptionTable<ZoneRule> = {
  name: checked(readZone, ''),
  atLeast: count({ default: 2, min: 1, max: 100_000 }),
}

const serviceTable: OptionTable<ServiceSettings> = {
  strategy: oneOf(['round-robin', 'random', 'sticky', 'least-busy', 'zone'], 'round-robin'),
  zone: optional(group(zoneTable)),
  // Envoy's numbers: five in a row (`consecutive_5xx`), and then thirty seconds of rest (`base_ejection_time`); Finagle
  // counts to five as well. Curator's two errors in thirty seconds leave out whoever is busy.
  outlierDetection: group<OutlierDetectionOptions>({
    errors: count({ default: 5, min: 1, max: 1_000 }),
    restMs: milliseconds({ default: 30_000, min: 1, max: hour }),
  }),
  panicThreshold: group<PanicThresholdOptions>({
    // Longer than a session of ten seconds takes to end and to begin anew.
    graceMs: milliseconds({ default: 15_000, min: 0, max: hour }),
    share: checked(readShare, 0.5),
  }),
  coalesceMs: milliseconds({ default: 100, min: 0, max: 60_000 }),
}

function readZone(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new ZookeeperError('config-invalid', `${path}: expected the name of the zone that this client is in`)
}

function readShare(value: unknown, path: string): number {
  if (value === undefined) return 0.5
  if (typeof value === 'number' && value >= 0 && value <= 1) return value
  throw new ZookeeperError('config-invalid', `${path}: expected a number from 0 to 1`)
}
