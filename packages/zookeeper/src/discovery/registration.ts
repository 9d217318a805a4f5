import type { Clock, Events } from '@ha/core'
import { Emitter, type LinkedController, linkedController, Notifier } from '@ha/core/driver'
import { resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import type { Ephemeral } from '../recipes/ephemeral.ts'
import type { ReservedPath } from '../recipes/ephemerals.ts'
import { within } from '../within.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { Checks } from './checks.ts'
import type { InstanceCodec } from './codec.ts'
import type { DiscoveryGround } from './discovery-ground.ts'
import type { Instance, InstancePatch } from './instance.ts'
import { amended } from './instance-options.ts'
import { checkDrainMs, type RegisterSettings } from './register-options.ts'
import {
  begun,
  drained,
  heard,
  type RegistrationState,
  type Stage,
  stateOf,
  unquestioned,
  type Wish,
  wishOf,
} from './registration-state.ts'

export type RegistrationEvents = {
  readonly state: RegistrationState
}

export interface RegistrationParts {
  readonly ground: DiscoveryGround
  readonly instance: Instance
  readonly reserved: ReservedPath
  readonly codec: InstanceCodec
  readonly settings: RegisterSettings
}

/** An instance of this process in the registry, for as long as it is well and the client lives. */
export class Registration implements AsyncDisposable {
  /** The node that stands for it. */
  readonly path: string
  readonly #parts: RegistrationParts
  readonly #events = new Emitter<RegistrationEvents>()
  readonly #changed = new Notifier()
  readonly #scope: LinkedController
  #instance: Instance
  #stage: Stage
  #node: Ephemeral | undefined
  #told: RegistrationState

  constructor(parts: RegistrationParts) {
    this.#parts = parts
    this.path = parts.reserved.path
    this.#instance = parts.instance
    this.#scope = linkedController(parts.ground.signal)
    this.#stage = begun(this.#clock.now())
    this.#told = this.state
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#follow(this.#scope.signal).catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) parts.ground.onDefect(`the checks of ${this.path}`, thrown)
    })
  }

  /** The instance as it would be listed. */
  get instance(): Instance {
    const flagged = this.#wish === 'flagged'
    return flagged ? { ...this.#instance, status: 'out-of-service' } : this.#instance
  }

  get state(): RegistrationState {
    return stateOf(this.#stage, this.#node?.state, this.#parts.settings.onUnhealthy)
  }

  /** Tells of each change of {@link state}: another reason is one when it says something else. */
  get events(): Events<RegistrationEvents> {
    return this.#events
  }

  /** Resolves when it is registered; rejects with `timed-out` and the reason why it is not, or with `closed`. */
  async ready(limit?: CallOptions): Promise<void> {
    const { ground } = this.#parts
    const call = resolveCall('ready', limit, ground.operationTimeoutMs)
    const expired = (): ZookeeperError => this.#notRegistered(call.timeoutMs)
    const limits = { what: `the registration ${this.path}`, path: this.path, call, expired }
    await within(ground, limits, async (signal) => {
      for (let { kind } = this.state; kind !== 'registered'; { kind } = this.state) {
        if (kind === 'closed') throw this.#closedError()
        await this.#changed.wait(signal)
      }
    })
  }

  /**
   * Changes what is listed. Resolves when the servers have it, at once while nothing is listed; when it rejects, it is
   * written later.
   */
  async update(patch: InstancePatch, limit?: CallOptions): Promise<void> {
    if (this.#stage.kind === 'closed') throw this.#closedError()
    const call = resolveCall('update', limit, this.#parts.ground.operationTimeoutMs)
    this.#instance = amended(this.#instance, patch)
    if (this.#wish !== 'absent') await this.#node?.update(() => this.#bytes(), call)
  }

  /**
   * Goes in two steps: lists the instance as out of service, so that nobody begins anything new with it, and after
   * `ms` milliseconds closes the registration.
   */
  async drain(ms: number): Promise<void> {
    const drainMs = checkDrainMs(ms)
    this.#become(drained(this.#stage, this.#parts.settings.onUnhealthy))
    // Closed meanwhile, there is nothing left to wait for.
    await this.#clock.sleep(drainMs, this.#scope.signal).catch(() => undefined)
    await this.close()
  }

  /** Takes it off the list for good. Idempotent, never rejects: without a connection, the session's end does it. */
  async close(): Promise<void> {
    this.#scope.abort(this.#closedError())
    await this.#node?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #clock(): Clock {
    return this.#parts.ground.clock
  }

  get #wish(): Wish {
    return wishOf(this.#stage, this.#parts.settings.onUnhealthy)
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { gate, warmupMs } = this.#parts.settings
    // The caller's check is not called before the caller has its registration in hand.
    await Promise.resolve()
    if (gate === undefined) {
      await this.#clock.sleep(warmupMs, signal)
      if (this.#stage.kind === 'serving') this.#become(unquestioned)
      return
    }
    await new Checks(gate, this.#clock).run(signal, (answer) =>
      this.#become(heard(this.#stage, answer, this.#clock.now(), gate.rules)),
    )
  }

  // Whoever hears of the end may register anew at once.
  #onEnd(): void {
    this.#stage = { kind: 'closed' }
    this.#parts.reserved.release()
    void this.#node?.close()
    this.#tell()
  }

  #become(stage: Stage): void {
    const before = this.#wish
    this.#stage = stage
    if (this.#wish !== before) this.#carryOut(before, this.#wish)
    this.#tell()
  }

  #carryOut(before: Wish, wish: Wish): void {
    // What cannot be written now is written later by the ephemeral itself, and its state says why not yet.
    const later = (): undefined => undefined
    if (wish === 'absent') this.#node?.withdraw().catch(later)
    else if (this.#node === undefined) this.#node = this.#register()
    else if (before === 'absent') this.#node.restore().catch(later)
    else this.#node.update(() => this.#bytes()).catch(later)
  }

  #register(): Ephemeral {
    const { reserved, settings } = this.#parts
    const node = reserved.open(() => this.#bytes(), { takeover: settings.takeover })
    node.on('state', () => this.#tell())
    return node
  }

  #bytes(): ReturnType<InstanceCodec['encode']> {
    return this.#parts.codec.encode(this.instance)
  }

  #tell(): void {
    const { state } = this
    if (sameState(state, this.#told)) return
    this.#told = state
    this.#changed.notifyAll()
    this.#events.emit('state', state)
  }

  #notRegistered(timeoutMs: number): ZookeeperError {
    const { state, path } = this
    const cause = 'reason' in state ? state.reason : undefined
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `${path} is ${state.kind} and was not registered within ${timeoutMs} ms${why}`
    return new ZookeeperError('timed-out', message, { path, cause, retryable: true })
  }

  #closedError(): ZookeeperError {
    return new ZookeeperError('closed', `the registration ${this.path} is closed`, { path: this.path })
  }
}

// Each check that fails makes an error of its own: what they say is compared, for it is all that anybody is told.
function sameState(one: RegistrationState, other: RegistrationState): boolean {
  const reasonOf = (state: RegistrationState): string | undefined =>
    'reason' in state ? state.reason?.message : undefined
  return one.kind === other.kind && reasonOf(one) === reasonOf(other)
}
