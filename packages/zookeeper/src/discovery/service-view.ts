import type { Clock } from '@ha/core'
import { type LinkedController, linkedController, Notifier } from '@ha/core/driver'
import { resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { within } from '../within.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { admitted } from './admission.ts'
import { differences, type ServiceChange } from './difference.ts'
import type { DiscoveryGround } from './discovery-ground.ts'
import type { Instance } from './instance.ts'
import type { Listing } from './listing.ts'
import { pickOne } from './pick.ts'
import { type CallReport, Reputation } from './reputation.ts'
import { afterSighting, type Served, unread } from './served.ts'
import type { ServiceSettings } from './service-options.ts'

/**
 * How far a list can be trusted: nothing was read yet, it is what the registry says, it is the last good one while the
 * registry is away, may not be read, or is not followed any more, or it is kept for a while because the registry came
 * back with next to nothing.
 */
export type ServiceViewState = 'unread' | 'current' | 'stale' | 'guarded'

export interface ServiceViewParts {
  readonly ground: DiscoveryGround
  readonly name: string
  readonly listing: Listing
  readonly settings: ServiceSettings
  readonly onClosed: () => void
}

/** The live list of a service's instances. It can always be read, and is never emptied by trouble of the registry. */
export class ServiceView implements AsyncDisposable {
  readonly name: string
  readonly #parts: ServiceViewParts
  readonly #reputation: Reputation
  readonly #changed = new Notifier()
  readonly #scope: LinkedController
  #served: Served = unread
  #turn: number

  constructor(parts: ServiceViewParts) {
    const { ground, name, settings } = parts
    this.#parts = parts
    this.name = name
    this.#reputation = new Reputation(settings.shun)
    // Clients that start together do not all begin with the same instance.
    this.#turn = Math.floor(ground.random() * 2 ** 20)
    this.#scope = linkedController(ground.signal)
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#follow(this.#scope.signal).catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) ground.onDefect(`the view of ${name}`, thrown)
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
    return this.#parts.listing.trouble
  }

  /** How many nodes beside the instances hold something that is none. */
  get strange(): number {
    return this.#parts.listing.current?.strange ?? 0
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
    const { settings, ground } = this.#parts
    const nowMs = this.#clock.now()
    const reputation = this.#reputation
    const candidates = admitted(this.all(), (instance) => reputation.leftOutUntilMs(instance, nowMs))
    const chosen = pickOne(candidates, {
      strategy: settings.strategy,
      key,
      turn: this.#turn,
      zone: settings.zone,
      inFlight: (instance) => reputation.inFlight(instance),
      random: ground.random,
    })
    if (chosen === undefined) return undefined
    this.#turn += 1
    reputation.picked(chosen, nowMs)
    return chosen
  }

  /**
   * Says what became of a call: instances with too many errors in a row are left out for a while, but never more than
   * half of them. `begun` counts a call as under way until its `ok` or `error`, for `least-busy`.
   */
  report(instance: Instance, report: CallReport): void {
    this.#reputation.report(instance, report, this.#clock.now())
  }

  /** Every change of the list, beginning with the whole of it, until the view is closed. */
  changes(): AsyncIterable<ServiceChange> {
    return differences(() => this.all(), this.#changed, this.#scope.signal)
  }

  /** Resolves when the list has been read once; rejects with `timed-out` and the reason, or with `closed`. */
  async ready(limit?: CallOptions): Promise<void> {
    const { ground, listing } = this.#parts
    const call = resolveCall('ready', limit, ground.operationTimeoutMs)
    const expired = (): ZookeeperError => this.#notRead(call.timeoutMs)
    const limits = { what: `the list of '${this.name}'`, path: listing.path, call, expired }
    await within({ clock: ground.clock, signal: this.#scope.signal }, limits, async (signal) => {
      while (this.#served.kind === 'unread') await this.#changed.wait(signal)
    })
  }

  /** Stops following the list; what was read last can still be picked from. Idempotent. */
  async close(): Promise<void> {
    const { path } = this.#parts.listing
    this.#scope.abort(new ZookeeperError('closed', 'its view is closed', { path }))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #clock(): Clock {
    return this.#parts.ground.clock
  }

  // What is served may be older than the registry from now on.
  #onEnd(): void {
    const { listing, onClosed } = this.#parts
    listing.close()
    this.#look()
    onClosed()
  }

  async #follow(signal: AbortSignal): Promise<never> {
    for (;;) {
      this.#look()
      await this.#somethingNew(signal)
      if (this.#served.kind !== 'unread') await this.#gather(signal)
    }
  }

  #look(): void {
    const { listing, settings } = this.#parts
    const { current, stale } = listing
    const sighting =
      current === undefined || stale
        ? ({ kind: 'away' } as const)
        : ({ kind: 'listed', instances: current.instances } as const)
    const before = this.#served
    this.#served = afterSighting(before, sighting, this.#clock.now(), settings.guard)
    if (this.#served === before) return
    this.#reputation.keep(this.#served.instances)
    this.#changed.notifyAll()
  }

  #somethingNew(signal: AbortSignal): Promise<void> {
    const { listing } = this.#parts
    const served = this.#served
    if (!('untilMs' in served)) return listing.news(signal)
    const graceMs = served.untilMs - this.#clock.now()
    return this.#forAtMost(graceMs, signal, (inner) => listing.news(inner))
  }

  // What is listed can wait until all that changes together has changed; an outage is said at once.
  #gather(signal: AbortSignal): Promise<void> {
    const { ground, listing, settings } = this.#parts
    const gatherMs = settings.coalesceMs * (0.5 + ground.random() / 2)
    return this.#forAtMost(gatherMs, signal, async (inner) => {
      while (!listing.stale) await listing.news(inner)
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
    const { path } = this.#parts.listing
    const cause = this.reason
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `the list of '${this.name}' was not read within ${timeoutMs} ms${why}`
    return new ZookeeperError('timed-out', message, { path, retryable: true, cause })
  }
}

// Why a wait ends early.
const timeIsUp = new Error('the time is up')
