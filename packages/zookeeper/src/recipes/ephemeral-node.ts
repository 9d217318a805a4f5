import { AsyncResource } from 'node:async_hooks'
import type { Listener } from '@ha/core'
import {
  asError,
  Emitter,
  type LinkedController,
  linkedController,
  Notifier,
  withDeadline,
} from '@ha/core/driver'
import { runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Bytes } from '../node.ts'
import { type CallLimits, callUserFunction, encodeData, resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { jsonSafe } from '../protocol/requests.ts'
import type { LiveSession } from '../session/session.ts'
import type { Ephemeral, EphemeralEvents, EphemeralState } from './ephemeral.ts'
import { type DesiredNode, EphemeralReconciler, type ReconcilerDeps } from './ephemeral-reconciler.ts'

/** The dependencies of an {@link EphemeralNode}. */
export interface EphemeralNodeDeps extends ReconcilerDeps {
  /** Called once, when the ephemeral is closed and its node is not maintained any more. */
  readonly onEnd: () => void
}

/** An {@link Ephemeral}: its state, its desired content, and the reconciler that brings the servers there. */
export class EphemeralNode implements Ephemeral {
  readonly #deps: EphemeralNodeDeps
  readonly #reconciler: EphemeralReconciler
  readonly #events = new Emitter<EphemeralEvents>()
  readonly #changed = new Notifier()
  /** Fires when the node is not maintained any more. */
  readonly #lifetime: LinkedController
  #data: Bytes | (() => Bytes)
  // The node is desired unless the state is `withheld` or `closed`.
  #state: EphemeralState = { kind: 'pending', reason: undefined }
  #path: string
  /** Removes the listener of the session that holds the node. */
  #unlinkSession: () => void = () => undefined
  #closing: Promise<void> | undefined

  constructor(deps: EphemeralNodeDeps, data: Bytes | (() => Bytes)) {
    this.#deps = deps
    this.#data = inContext(data)
    this.#path = deps.location.path
    this.#reconciler = new EphemeralReconciler(deps, {
      desired: () => this.#desired(),
      held: (session, path, czxid) => this.#onHeld(session, path, czxid),
      missing: (path, reason) => this.#onMissing(path, reason),
      failed: (error) => this.#onFailed(error),
    })
    this.#lifetime = linkedController(deps.context.signal)
    this.#lifetime.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#reconciler.declare()
  }

  get path(): string {
    return this.#path
  }

  get state(): EphemeralState {
    return this.#state
  }

  on<K extends keyof EphemeralEvents>(name: K, listener: Listener<EphemeralEvents[K]>): () => void {
    return this.#events.on(name, listener)
  }

  once<K extends keyof EphemeralEvents>(name: K, listener: Listener<EphemeralEvents[K]>): () => void {
    return this.#events.once(name, listener)
  }

  async ready(limit?: CallOptions): Promise<void> {
    await this.#untilHeld(this.#resolveCall('ready', limit))
  }

  async update(data: Bytes | (() => Bytes), limit?: CallOptions): Promise<void> {
    const call = this.#resolveCall('update', limit)
    checkEphemeralData(data, 'update', this.#path)
    const { kind } = this.#stateUnlessClosed()
    this.#data = inContext(data)
    if (kind === 'withheld') return
    this.#reconciler.declare()
    await this.#within(call, 'written', (signal) => this.#reconciler.whenDone(signal))
  }

  async withdraw(limit?: CallOptions): Promise<void> {
    const call = this.#resolveCall('withdraw', limit)
    if (this.#stateUnlessClosed().kind !== 'withheld') {
      this.#enter({ kind: 'withheld' })
      this.#reconciler.declare()
    }
    await this.#within(call, 'withdrawn', (signal) => this.#reconciler.whenDone(signal))
  }

  async restore(limit?: CallOptions): Promise<void> {
    const call = this.#resolveCall('restore', limit)
    if (this.#stateUnlessClosed().kind === 'withheld') {
      this.#enter({ kind: 'pending', reason: undefined })
      this.#reconciler.declare()
    }
    await this.#untilHeld(call)
  }

  async close(limit?: Pick<CallOptions, 'timeoutMs'>): Promise<void> {
    const timeoutMs = limit?.timeoutMs ?? this.#deps.context.operationTimeoutMs
    this.#closing ??= this.#close()
    const closing = this.#closing
    const expired = (): Error => this.#timedOut('deleted', timeoutMs)
    // After the timeout the caller does not wait any longer, and the deletion continues.
    await withDeadline(this.#deps.context.clock, { timeoutMs, expired }, () => closing).catch(() => undefined)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Stops maintaining the node and leaves it as it is: the next ephemeral of this client at the path takes it over. */
  handOver(): void {
    this.#lifetime.abort(this.#closedError())
  }

  async #close(): Promise<void> {
    const session = this.#deps.context.sessions.current
    const scope = linkedController(this.#lifetime.signal, session?.signal)
    this.#enter({ kind: 'closed' })
    try {
      if (session === undefined || scope.signal.aborted) return
      this.#reconciler.declare()
      await this.#reconciler.whenDone(scope.signal)
    } catch {
      // The servers refused the deletion, or the session is over and they delete the node: nothing remains to be done.
    } finally {
      scope.unlink()
      this.#lifetime.abort(this.#closedError())
    }
  }

  #desired(): DesiredNode {
    const { kind } = this.#state
    if (kind === 'withheld' || kind === 'closed') return { kind: 'absent' }
    const given = this.#data
    const data = typeof given === 'function' ? callUserFunction('data', this.#path, given) : given
    return { kind: 'present', data: encodeData(data, 'ephemeral', this.#path, Number.POSITIVE_INFINITY) }
  }

  #onHeld(session: LiveSession, path: string, czxid: bigint): void {
    this.#path = path
    if (this.#state.kind !== 'pending') return
    this.#enter(jsonSafe({ kind: 'held', path, czxid }))
    const scope = linkedController(session.signal)
    const onOver = (): void => this.#onMissing(path, asError(session.signal.reason))
    scope.signal.addEventListener('abort', onOver, { once: true })
    this.#unlinkSession = scope.unlink
  }

  #onMissing(path: string, reason: Error): void {
    this.#path = path
    if (this.#state.kind === 'held') this.#enter({ kind: 'pending', reason })
  }

  #onFailed(reason: Error): void {
    const { kind } = this.#state
    // Repeated attempts that fail for the same reason do not change the state.
    if (kind === 'pending' && this.#state.reason?.message !== reason.message) this.#enter({ kind, reason })
  }

  #onEnd(): void {
    this.#enter({ kind: 'closed' })
    this.#reconciler.forget()
    this.#deps.onEnd()
  }

  #enter(state: EphemeralState): void {
    this.#unlinkSession()
    this.#unlinkSession = () => undefined
    if (this.#state.kind === 'closed') return
    this.#state = state
    this.#events.emit('state', state)
    this.#changed.notifyAll()
  }

  #stateUnlessClosed(): EphemeralState {
    if (this.#state.kind === 'closed') throw this.#closedError()
    return this.#state
  }

  #resolveCall(name: string, limit: CallOptions | undefined): CallLimits {
    return resolveCall(name, limit, this.#deps.context.operationTimeoutMs)
  }

  #untilHeld(call: CallLimits): Promise<void> {
    return this.#within(call, 'held', async (signal) => {
      while (this.#stateUnlessClosed().kind !== 'held') await this.#changed.wait(signal)
    })
  }

  #within(call: CallLimits, goal: string, wait: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const expired = (): Error => this.#timedOut(goal, call.timeoutMs)
    const subject = { what: `ephemeral ${this.#path}`, path: this.#path }
    return runWithinCall(this.#deps.context, { ...subject, call, expired }, wait)
  }

  #timedOut(goal: string, timeoutMs: number): ZookeeperError {
    const reason = this.#state.kind === 'pending' ? this.#state.reason : undefined
    const cause = reason ?? this.#reconciler.failure
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `ephemeral ${this.#path} not ${goal} within ${timeoutMs} ms${why}`
    return new ZookeeperError('timed-out', message, { path: this.#path, retryable: true, cause })
  }

  #closedError(): ZookeeperError {
    return new ZookeeperError('closed', `ephemeral ${this.#path} is closed`, { path: this.#path })
  }
}

// A function of the caller runs in the asynchronous context in which it was given.
function inContext(data: Bytes | (() => Bytes)): Bytes | (() => Bytes) {
  return typeof data === 'function' ? AsyncResource.bind(data) : data
}

/** Checks the data of a caller: a text, bytes, a function that returns them, or nothing. Throws `config-invalid`. */
export function checkEphemeralData(data: unknown, name: string, path: string): void {
  if (typeof data !== 'function') encodeData(data as Bytes, name, path, Number.POSITIVE_INFINITY)
}
