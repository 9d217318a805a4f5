import type { Clock, Events } from '@ha/core'
import {
  Emitter,
  flag,
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
import type { Ephemeral, EphemeralState } from '../recipes/ephemeral.ts'
import type { ReservedPath } from '../recipes/ephemeral-registry.ts'
import type { DiscoveryContext } from './discovery-context.ts'
import {
  afterCheck,
  type CheckedGate,
  type CheckResult,
  completeGate,
  type GateSettings,
  gateTable,
  HealthCheckLoop,
  type HealthGate,
  initialReadiness,
  type Readiness,
  type ReadinessRules,
} from './health-gate.ts'
import { type Instance, type InstanceCodec, type InstancePatch, patchInstance } from './instance.ts'
import { optional } from './optional.ts'

export type RegistrationEvents = {
  readonly state: RegistrationState
}

interface RegistrationDeps {
  readonly context: DiscoveryContext
  readonly instance: Instance
  readonly reserved: ReservedPath
  readonly codec: InstanceCodec
  readonly settings: RegisterSettings
}

/** An instance of this process in the registry, for as long as it is well and the client lives. */
export class Registration implements AsyncDisposable {
  /** The node that stands for it. */
  readonly path: string
  readonly #deps: RegistrationDeps
  readonly #events = new Emitter<RegistrationEvents>()
  readonly #changed = new Notifier()
  readonly #scope: LinkedController
  #instance: Instance
  #phase: RegistrationPhase
  #node: Ephemeral | undefined
  #lastState: RegistrationState

  constructor(parts: RegistrationDeps) {
    this.#deps = parts
    this.path = parts.reserved.path
    this.#instance = parts.instance
    this.#scope = linkedController(parts.context.signal)
    this.#phase = initialPhase(this.#clock.now())
    this.#lastState = this.state
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#follow(this.#scope.signal).catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) parts.context.reportDefect(`the checks of ${this.path}`, thrown)
    })
  }

  /** The instance as it would be listed. */
  get instance(): Instance {
    const flagged = this.#desired === 'flagged'
    return flagged ? { ...this.#instance, status: 'out-of-service' } : this.#instance
  }

  get state(): RegistrationState {
    return stateOf(this.#phase, this.#node?.state, this.#deps.settings.onUnhealthy)
  }

  /** Tells of each change of {@link state}: another reason is one when it says something else. */
  get events(): Events<RegistrationEvents> {
    return this.#events
  }

  /** Resolves when it is registered; rejects with `timed-out` and the reason why it is not, or with `closed`. */
  async ready(limit?: CallOptions): Promise<void> {
    const { context: ground } = this.#deps
    const call = resolveCall('ready', limit, ground.operationTimeoutMs)
    const expired = (): ZookeeperError => this.#notRegistered(call.timeoutMs)
    const limits = { what: `the registration ${this.path}`, path: this.path, call, expired }
    await runWithinCall(ground, limits, async (signal) => {
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
    if (this.#phase.kind === 'closed') throw this.#closedError()
    const call = resolveCall('update', limit, this.#deps.context.operationTimeoutMs)
    this.#instance = patchInstance(this.#instance, patch)
    if (this.#desired !== 'absent') await this.#node?.update(() => this.#bytes(), call)
  }

  /**
   * Goes in two steps: lists the instance as out of service, so that nobody begins anything new with it, and after
   * `ms` milliseconds closes the registration.
   */
  async drain(ms: number): Promise<void> {
    const drainMs = checkDrainMs(ms)
    this.#enter(drainingPhase(this.#phase, this.#deps.settings.onUnhealthy))
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
    return this.#deps.context.clock
  }

  get #desired(): DesiredListing {
    return desiredListing(this.#phase, this.#deps.settings.onUnhealthy)
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { gate, warmupMs } = this.#deps.settings
    // The caller's check is not called before the caller has its registration in hand.
    await Promise.resolve()
    if (gate === undefined) {
      await this.#clock.sleep(warmupMs, signal)
      if (this.#phase.kind === 'serving') this.#enter(readyPhase)
      return
    }
    await new HealthCheckLoop(gate, this.#clock).run(signal, (answer) =>
      this.#enter(afterCheckResult(this.#phase, answer, this.#clock.now(), gate.rules)),
    )
  }

  // Whoever hears of the end may register anew at once.
  #onEnd(): void {
    this.#phase = { kind: 'closed' }
    this.#deps.reserved.release()
    void this.#node?.close()
    this.#emitState()
  }

  #enter(stage: RegistrationPhase): void {
    const before = this.#desired
    this.#phase = stage
    if (this.#desired !== before) this.#apply(before, this.#desired)
    this.#emitState()
  }

  #apply(before: DesiredListing, wish: DesiredListing): void {
    // What cannot be written now is written later by the ephemeral itself, and its state says why not yet.
    const later = (): undefined => undefined
    if (wish === 'absent') this.#node?.withdraw().catch(later)
    else if (this.#node === undefined) this.#node = this.#register()
    else if (before === 'absent') this.#node.restore().catch(later)
    else this.#node.update(() => this.#bytes()).catch(later)
  }

  #register(): Ephemeral {
    const { reserved, settings } = this.#deps
    const node = reserved.open(() => this.#bytes(), { takeover: settings.takeover })
    node.on('state', () => this.#emitState())
    return node
  }

  #bytes(): ReturnType<InstanceCodec['encode']> {
    return this.#deps.codec.encode(this.instance)
  }

  #emitState(): void {
    const { state } = this
    if (isSameState(state, this.#lastState)) return
    this.#lastState = state
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
function isSameState(one: RegistrationState, other: RegistrationState): boolean {
  const reasonOf = (state: RegistrationState): string | undefined =>
    'reason' in state ? state.reason?.message : undefined
  return one.kind === other.kind && reasonOf(one) === reasonOf(other)
}

/** How a registration stands. */
export type RegistrationState =
  /** It is not listed yet, or not any more: `reason` says why, as far as that is known. */
  | { readonly kind: 'pending'; readonly reason: Error | undefined }
  /** It is listed, and picked by those who read the list. */
  | { readonly kind: 'registered'; readonly path: string }
  /** Its checks failed: it is taken off the list. */
  | { readonly kind: 'withheld'; readonly reason: Error | undefined }
  /** Its checks failed: it is listed as out of service. */
  | { readonly kind: 'flagged'; readonly reason: Error | undefined; readonly path: string }
  /** It is about to go, and listed as out of service where it was listed. */
  | { readonly kind: 'draining' }
  | { readonly kind: 'closed' }

/** What the owner of a registration is about. */
type RegistrationPhase =
  /** `error` is why the last check that failed did so, for as long as it matters. */
  | { readonly kind: 'serving'; readonly fitness: Readiness; readonly error: Error | undefined }
  | { readonly kind: 'draining'; readonly wish: DesiredListing }
  | { readonly kind: 'closed' }

/** How the registry should list an instance. */
type DesiredListing = 'absent' | 'offered' | 'flagged'

/** What becomes of an instance whose checks fail: it is taken off the list, or stays as out of service. */
export type OnUnhealthy = 'remove' | 'flag'

/** The stage that a registration begins with. */
function initialPhase(nowMs: number): RegistrationPhase {
  return { kind: 'serving', fitness: initialReadiness(nowMs), error: undefined }
}

/** The stage of an instance that is well by its owner's word alone. */
const readyPhase: RegistrationPhase = {
  kind: 'serving',
  fitness: { kind: 'fit', failures: 0 },
  error: undefined,
}

/** The stage after one more check. */
function afterCheckResult(
  stage: RegistrationPhase,
  answer: CheckResult,
  nowMs: number,
  rules: ReadinessRules,
): RegistrationPhase {
  if (stage.kind !== 'serving') return stage
  const fitness = afterCheck(stage.fitness, answer.passed, nowMs, rules)
  if (!answer.passed) return { kind: 'serving', fitness, error: answer.error }
  return { kind: 'serving', fitness, error: fitness.kind === 'fit' ? undefined : stage.error }
}

/** The stage of one that is about to go; what was not listed is not listed for this. */
function drainingPhase(stage: RegistrationPhase, onUnhealthy: OnUnhealthy): RegistrationPhase {
  if (stage.kind !== 'serving') return stage
  return { kind: 'draining', wish: desiredListing(stage, onUnhealthy) === 'absent' ? 'absent' : 'flagged' }
}

/** How the registry should list it. */
function desiredListing(stage: RegistrationPhase, onUnhealthy: OnUnhealthy): DesiredListing {
  switch (stage.kind) {
    case 'draining':
      return stage.wish
    case 'closed':
      return 'absent'
    case 'serving':
      return listingOf(stage.fitness, onUnhealthy)
  }
}

/** How it stands, by what its owner is about and what is known of its node, once there has been one. */
function stateOf(
  stage: RegistrationPhase,
  node: EphemeralState | undefined,
  onUnhealthy: OnUnhealthy,
): RegistrationState {
  if (stage.kind !== 'serving') return { kind: stage.kind }
  const { fitness, error } = stage
  if (fitness.kind === 'warming') return { kind: 'pending', reason: error }
  if (fitness.kind === 'unfit' && onUnhealthy === 'remove') return { kind: 'withheld', reason: error }
  if (node?.kind !== 'held')
    return { kind: 'pending', reason: node?.kind === 'pending' ? node.reason : undefined }
  return fitness.kind === 'fit'
    ? { kind: 'registered', path: node.path }
    : { kind: 'flagged', reason: error, path: node.path }
}

function listingOf(fitness: Readiness, onUnhealthy: OnUnhealthy): DesiredListing {
  switch (fitness.kind) {
    case 'warming':
      return 'absent'
    case 'fit':
      return 'offered'
    case 'unfit':
      return onUnhealthy === 'flag' ? 'flagged' : 'absent'
  }
}

/** How an instance is registered. */
export interface RegisterOptions {
  /** How it finds out whether it works. Default: it does for as long as its process holds a session. */
  readonly health?: HealthGate | undefined
  /** What becomes of it when its checks fail: it is taken off the list, or listed as out of service. Default `remove`. */
  readonly onUnhealthy?: OnUnhealthy | undefined
  /** How long it has to be well before it is listed the first time, in milliseconds. Default 0. */
  readonly warmupMs?: number | undefined
  /**
   * Whether a node of the same id that another session holds is an earlier life of ours, and replaced at once. Default
   * false: its end is waited for.
   */
  readonly takeover?: boolean | undefined
}

interface RegisterSettings {
  readonly gate: GateSettings | undefined
  readonly onUnhealthy: OnUnhealthy
  readonly warmupMs: number
  readonly takeover: boolean
}

/** The options of a registration, checked and completed. */
export function resolveRegisterOptions(options: RegisterOptions, what: string): RegisterSettings {
  const { health, ...settings } = resolveOptions(registerTable, options, what)
  const gate = health && completeGate(health, settings.warmupMs, `${what}.health`)
  return Object.freeze({ ...settings, gate })
}

const hour = 3_600_000

const registerTable: OptionTable<CheckedRegister> = {
  health: optional(group(gateTable)),
  onUnhealthy: oneOf(['remove', 'flag'], 'remove'),
  warmupMs: milliseconds({ default: 0, min: 0, max: hour }),
  takeover: flag(false),
}

interface CheckedRegister extends Omit<RegisterSettings, 'gate'> {
  readonly health: CheckedGate | undefined
}

/** How long something drains, checked. */
function checkDrainMs(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 24 * hour) return value
  throw new ZookeeperError(
    'config-invalid',
    `drain: expected a number of milliseconds from 0 to ${24 * hour}`,
  )
}
