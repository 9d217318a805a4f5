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
  optional,
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

/** The events of a {@link Registration}: each change of its state. */
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

/** The registration of an instance of this process: it is listed while it is healthy and the client is open. */
export class Registration implements AsyncDisposable {
  /** The node of the instance. */
  readonly path: string
  readonly #deps: RegistrationDeps
  readonly #events = new Emitter<RegistrationEvents>()
  readonly #changed = new Notifier()
  readonly #scope: LinkedController
  #instance: Instance
  #phase: RegistrationPhase
  #node: Ephemeral | undefined
  #lastState: RegistrationState

  constructor(deps: RegistrationDeps) {
    this.#deps = deps
    this.path = deps.reserved.path
    this.#instance = deps.instance
    this.#scope = linkedController(deps.context.signal)
    this.#phase = initialPhase(this.#clock.now())
    this.#lastState = this.state
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#follow(this.#scope.signal).catch((thrown: unknown) => {
      if (!this.#scope.signal.aborted) deps.context.reportDefect(`the checks of ${this.path}`, thrown)
    })
  }

  /** The instance as it is or would be listed. */
  get instance(): Instance {
    const flagged = this.#desired === 'flagged'
    return flagged ? { ...this.#instance, status: 'out-of-service' } : this.#instance
  }

  /** Whether the instance is listed, and why not. */
  get state(): RegistrationState {
    return stateOf(this.#phase, this.#node?.state, this.#deps.settings.onUnhealthy)
  }

  /** Emits each change of {@link state}; another reason counts as a change when its message differs. */
  get events(): Events<RegistrationEvents> {
    return this.#events
  }

  /** Resolves when it is registered; rejects with `timed-out` and the reason, or with `closed`. */
  async ready(limit?: CallOptions): Promise<void> {
    const { context } = this.#deps
    const call = resolveCall('ready', limit, context.operationTimeoutMs)
    const expired = (): ZookeeperError => this.#notRegistered(call.timeoutMs)
    const wait = { what: `the registration ${this.path}`, path: this.path, call, expired }
    await runWithinCall(context, wait, async (signal) => {
      for (let { kind } = this.state; kind !== 'registered'; { kind } = this.state) {
        if (kind === 'closed') throw this.#closedError()
        await this.#changed.wait(signal)
      }
    })
  }

  /**
   * Changes the listed instance. Resolves when the servers have it, at once while it is not listed; when it rejects, it is
   * written later.
   */
  async update(patch: InstancePatch, limit?: CallOptions): Promise<void> {
    if (this.#phase.kind === 'closed') throw this.#closedError()
    const call = resolveCall('update', limit, this.#deps.context.operationTimeoutMs)
    this.#instance = patchInstance(this.#instance, patch)
    if (this.#desired !== 'absent') await this.#node?.update(() => this.#bytes(), call)
  }

  /**
   * Lists the instance as out of service, so that clients start nothing new with it, and closes the registration after
   * `ms` milliseconds.
   */
  async drain(ms: number): Promise<void> {
    const drainMs = checkDrainMs(ms)
    this.#enter(drainingPhase(this.#phase, this.#deps.settings.onUnhealthy))
    // The wait ends early when the registration is closed meanwhile.
    await this.#clock.sleep(drainMs, this.#scope.signal).catch(() => undefined)
    await this.close()
  }

  /** Withdraws the instance for good. Idempotent, never rejects: without a connection, the node ends with the session. */
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
    // The caller gets its registration before its check is called.
    await Promise.resolve()
    if (gate === undefined) {
      await this.#clock.sleep(warmupMs, signal)
      if (this.#phase.kind === 'serving') this.#enter(readyPhase)
      return
    }
    await new HealthCheckLoop(gate, this.#clock).run(signal, (result) =>
      this.#enter(afterCheckResult(this.#phase, result, this.#clock.now(), gate.rules)),
    )
  }

  // The path is released before the event, so that a listener can register again at once.
  #onEnd(): void {
    this.#phase = { kind: 'closed' }
    this.#deps.reserved.release()
    void this.#node?.close()
    this.#emitState()
  }

  #enter(phase: RegistrationPhase): void {
    const before = this.#desired
    this.#phase = phase
    if (this.#desired !== before) this.#apply(before, this.#desired)
    this.#emitState()
  }

  #apply(before: DesiredListing, desired: DesiredListing): void {
    // The ephemeral repeats what fails now, and its state shows the reason.
    const ignore = (): undefined => undefined
    if (desired === 'absent') this.#node?.withdraw().catch(ignore)
    else if (this.#node === undefined) this.#node = this.#openNode()
    else if (before === 'absent') this.#node.restore().catch(ignore)
    else this.#node.update(() => this.#bytes()).catch(ignore)
  }

  #openNode(): Ephemeral {
    const { reserved, settings } = this.#deps
    const node = reserved.open(() => this.#bytes(), { takeover: settings.takeover, parents: 'container' })
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

// Each failed check creates a new error, so the messages are compared.
function isSameState(one: RegistrationState, other: RegistrationState): boolean {
  const reasonOf = (state: RegistrationState): string | undefined =>
    'reason' in state ? state.reason?.message : undefined
  return one.kind === other.kind && reasonOf(one) === reasonOf(other)
}

/** The state of a registration. */
export type RegistrationState =
  /** Not listed yet, or not any more. `reason` says why, if that is known. */
  | { readonly kind: 'pending'; readonly reason: Error | undefined }
  /** Listed and in service. */
  | { readonly kind: 'registered'; readonly path: string }
  /** Withdrawn from the list because its checks failed. */
  | { readonly kind: 'withheld'; readonly reason: Error | undefined }
  /** Listed as out of service because its checks failed. */
  | { readonly kind: 'flagged'; readonly reason: Error | undefined; readonly path: string }
  /** About to close; listed as out of service if it was listed before. */
  | { readonly kind: 'draining' }
  | { readonly kind: 'closed' }

/** What the owner of a registration is doing. */
type RegistrationPhase =
  /** `error` is the error of the last failed check while it matters. */
  | { readonly kind: 'serving'; readonly readiness: Readiness; readonly error: Error | undefined }
  | { readonly kind: 'draining'; readonly desired: DesiredListing }
  | { readonly kind: 'closed' }

/** How the registry should list an instance. */
type DesiredListing = 'absent' | 'in-service' | 'flagged'

/** What happens to an instance whose checks fail: it is removed from the list, or listed as out of service. */
export type OnUnhealthy = 'remove' | 'flag'

/** The phase of a new registration. */
function initialPhase(nowMs: number): RegistrationPhase {
  return { kind: 'serving', readiness: initialReadiness(nowMs), error: undefined }
}

/** The phase of an instance without a health gate. */
const readyPhase: RegistrationPhase = {
  kind: 'serving',
  readiness: { kind: 'ready', failures: 0 },
  error: undefined,
}

/** The phase after another check. */
function afterCheckResult(
  phase: RegistrationPhase,
  result: CheckResult,
  nowMs: number,
  rules: ReadinessRules,
): RegistrationPhase {
  if (phase.kind !== 'serving') return phase
  const readiness = afterCheck(phase.readiness, result.passed, nowMs, rules)
  if (!result.passed) return { kind: 'serving', readiness, error: result.error }
  return { kind: 'serving', readiness, error: readiness.kind === 'ready' ? undefined : phase.error }
}

/** The phase of a draining registration. An instance that is not listed stays so. */
function drainingPhase(phase: RegistrationPhase, onUnhealthy: OnUnhealthy): RegistrationPhase {
  if (phase.kind !== 'serving') return phase
  const isAbsent = desiredListing(phase, onUnhealthy) === 'absent'
  return { kind: 'draining', desired: isAbsent ? 'absent' : 'flagged' }
}

/** How the registry should list the instance in this phase. */
function desiredListing(phase: RegistrationPhase, onUnhealthy: OnUnhealthy): DesiredListing {
  switch (phase.kind) {
    case 'draining':
      return phase.desired
    case 'closed':
      return 'absent'
    case 'serving':
      return listingOf(phase.readiness, onUnhealthy)
  }
}

/** The state by the phase and by the state of the node, once there has been one. */
function stateOf(
  phase: RegistrationPhase,
  node: EphemeralState | undefined,
  onUnhealthy: OnUnhealthy,
): RegistrationState {
  if (phase.kind !== 'serving') return { kind: phase.kind }
  const { readiness, error } = phase
  if (readiness.kind === 'starting') return { kind: 'pending', reason: error }
  if (readiness.kind === 'unready' && onUnhealthy === 'remove') return { kind: 'withheld', reason: error }
  if (node?.kind !== 'held')
    return { kind: 'pending', reason: node?.kind === 'pending' ? node.reason : undefined }
  return readiness.kind === 'ready'
    ? { kind: 'registered', path: node.path }
    : { kind: 'flagged', reason: error, path: node.path }
}

function listingOf(readiness: Readiness, onUnhealthy: OnUnhealthy): DesiredListing {
  switch (readiness.kind) {
    case 'starting':
      return 'absent'
    case 'ready':
      return 'in-service'
    case 'unready':
      return onUnhealthy === 'flag' ? 'flagged' : 'absent'
  }
}

/** How an instance is registered. */
export interface RegisterOptions {
  /** The health gate. Default: none, so that the instance is listed while its process holds a session. */
  readonly health?: HealthGate | undefined
  /** What happens when its checks fail: it is removed from the list, or listed as out of service. Default `remove`. */
  readonly onUnhealthy?: OnUnhealthy | undefined
  /** How long it must be healthy before it is listed the first time, in milliseconds. Default 0. */
  readonly warmupMs?: number | undefined
  /**
   * Whether a node of the same id that another session holds belongs to an earlier process and is replaced at once.
   * Default false: the registration waits until that node ends.
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

const hourMs = 3_600_000

const registerTable: OptionTable<CheckedRegister> = {
  health: optional(group(gateTable)),
  onUnhealthy: oneOf(['remove', 'flag'], 'remove'),
  warmupMs: milliseconds({ default: 0, min: 0, max: hourMs }),
  takeover: flag(false),
}

interface CheckedRegister extends Omit<RegisterSettings, 'gate'> {
  readonly health: CheckedGate | undefined
}

function checkDrainMs(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 24 * hourMs) return value
  throw new ZookeeperError(
    'config-invalid',
    `drain: expected a number of milliseconds from 0 to ${24 * hourMs}`,
  )
}
