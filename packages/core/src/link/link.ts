import { AsyncLocalStorage } from 'node:async_hooks'
import { formatEndpoint } from '../address/endpoint.ts'
import { DesiredState } from '../desired-state.ts'
import { type ConnectionSignal, closeGracefully } from '../driver.ts'
import { asError, detachStack, HaError, isHaError } from '../errors/ha-error.ts'
import { type Lease, leaseEndedError, type Source } from '../lease.ts'
import { fullJitter } from '../policy/backoff.ts'
import { linkedController, raceAbort } from '../util/abort.ts'
import { deferred } from '../util/deferred.ts'
import type { Events } from '../util/emitter.ts'
import { Notifier } from '../util/notifier.ts'
import { type Dialed, dialBetterEndpoint, dialUntilConnected, type Flaps } from './dialer.ts'
import type { LinkOptions } from './link-options.ts'
import {
  firstDial,
  type LinkEvents,
  type LinkHealth,
  LinkReporter,
  type LinkState,
  type Loss,
  linkHealth,
  transition,
  unavailableReasonOf,
} from './link-report.ts'
import { watchLiveness } from './liveness.ts'
import { reconcile } from './reconciler.ts'

/**
 * One connection that is kept alive: dialled, restored, monitored, and replaced when it is lost. At most one lease is
 * valid at a time; each has a higher generation than the one before.
 */
export class Link<C> implements Source<C> {
  readonly #options: LinkOptions<C>
  readonly #reporter: LinkReporter<C>
  readonly #changed = new Notifier()
  readonly #scope = linkedController()
  // A connection serves all callers: its work runs in the context of none of them.
  readonly #inOwnContext = AsyncLocalStorage.snapshot()
  /** What must hold on every connection. */
  readonly desiredState: DesiredState<C> = new DesiredState<C>()
  #state: LinkState<C> = { kind: 'idle' }
  #current: CurrentLease<C> | undefined
  #generation = 0
  #flaps = noFlaps
  #running: Promise<unknown> = Promise.resolve()
  #defect: HaError | undefined
  #closing: Promise<void> | undefined

  constructor(options: LinkOptions<C>) {
    this.#options = options
    this.#reporter = new LinkReporter(options.name)
  }

  get state(): LinkState<C> {
    return this.#state
  }

  get events(): Events<LinkEvents<C>> {
    return this.#reporter.events
  }

  /** The state of the link as plain data. */
  health(): LinkHealth {
    const { name, registry, clock } = this.#options
    const { view } = registry
    const facts = {
      name,
      state: this.#state,
      generation: this.#generation,
      view,
      desiredState: this.desiredState,
      unavailableReason: this.unavailableReason(),
    }
    return linkHealth(facts, clock.now())
  }

  /** Starts to dial. Without it, the first {@link acquire} does. */
  start(): void {
    if (this.#state.kind !== 'idle') return
    this.#enter(firstDial)
    this.#running = this.#inOwnContext(() => this.#run().catch((error: unknown) => this.#onRunEnded(error)))
  }

  /**
   * Waits for a usable connection. Rejects with the signal's reason, with `closed`, or at once with `refused` while
   * every endpoint refuses for good.
   */
  async acquire(signal: AbortSignal): Promise<Lease<C>> {
    this.start()
    for (;;) {
      const state = this.#state
      if (state.kind === 'ready') return state.lease
      if (state.kind === 'closed') throw this.#closedError()
      if (state.kind === 'waiting' && state.error.code === 'refused') throw state.error
      await this.#changed.wait(signal)
    }
  }

  take(): Lease<C> | undefined {
    return this.#state.kind === 'ready' ? this.#state.lease : undefined
  }

  /** No effect: all operations share the one connection. */
  release(): void {}

  /** Reports that a lease has failed: the link dials again. Ignored for a lease of an older generation. */
  fail(lease: Lease<C>, error: Error, detectMs = 0): void {
    if (this.#current?.lease.generation !== lease.generation) return
    this.#current.end({ kind: 'lost', error, detectMs })
  }

  /** Why the last round of dials failed, while there is no connection. */
  unavailableReason(): HaError | undefined {
    const { driver, registry } = this.#options
    const reason = unavailableReasonOf(this.#state)
    if (reason !== undefined || this.#state.kind !== 'dialing') return reason
    return driver.waitingFor?.() ?? (registry.view.members.length === 0 ? registry.waitingFor : undefined)
  }

  /**
   * Reports that a declaration no longer holds though the connection is open: it is applied again with back-off, or
   * without when `paced`, for a caller that has a pace of its own.
   */
  invalidate(key: string, error: Error, { paced = false }: { readonly paced?: boolean } = {}): void {
    const { clock, restoreBackoff, random } = this.#options
    const backoff = fullJitter(restoreBackoff)
    const delayMs = (failures: number): number => (paced ? 0 : backoff(failures, random))
    this.desiredState.invalidate(key, { error: detachStack(error), nowMs: clock.now(), delayMs })
  }

  /**
   * Closes the connection gracefully, at the latest after `timeoutMs`, and rejects waiting acquires with `closed`.
   * Idempotent: every call returns the same promise, and it never rejects.
   */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  async #close(timeoutMs: number): Promise<void> {
    const connection = this.#finish()
    await this.#running
    if (connection !== undefined) await closeGracefully(this.#options, connection, { timeoutMs })
  }

  // Ends the link once: first the state and the signal, then the event. Returns the connection that it still had.
  #finish(): C | undefined {
    const connection = this.#current?.lease.connection
    this.#current = undefined
    if (this.#state.kind === 'closed') return connection
    this.#state = { kind: 'closed' }
    this.#scope.abort(detachStack(this.#closedError()))
    this.#report(this.#state)
    return connection
  }

  async #run(): Promise<never> {
    let dialed = await this.#dial()
    let before: LastLoss | undefined
    for (;;) {
      this.#destroyIfClosed(dialed)
      const { ending, loss } = await this.#serve(dialed, before)
      before = { loss, atMs: this.#options.clock.now() }
      dialed = ending.kind === 'moved' ? ending.next : await this.#dial()
    }
  }

  // Several turns of the microtask queue lie between a handshake and this line: the link may be closed by now.
  #destroyIfClosed({ connection }: Dialed<C>): void {
    const { signal } = this.#scope
    if (signal.aborted) this.#options.driver.destroy(connection)
    signal.throwIfAborted()
  }

  #dial(): Promise<Dialed<C>> {
    const enter = (state: LinkState<C>): void => this.#enter(state)
    const deps = { options: this.#options, selections: this.#generation, flaps: this.#flaps, enter }
    return dialUntilConnected(deps, this.#scope.signal)
  }

  // One lease from start to end. The end is synchronous: no caller gets a connection that is known to be lost.
  #serve(dialed: Dialed<C>, before: LastLoss | undefined): Promise<LeaseResult<C>> {
    const options = this.#options
    const { clock, driver } = options
    const scope = linkedController(this.#scope.signal)
    this.#generation += 1
    const lease = { ...dialed, generation: this.#generation, signal: scope.signal }
    const dialedAtMs = clock.now()
    const over = deferred<LeaseResult<C>>()
    const onRefused = (key: string, error: HaError): void => this.#reporter.refused(key, error)
    const end = (ending: LeaseEnd<C>): void => {
      if (scope.signal.aborted) return
      const loss = lossOf(lease, ending)
      if (ending.kind === 'lost' && driver.requestAtFault?.(ending.error) !== undefined)
        this.desiredState.suspect()
      this.#current = undefined
      this.#state = transition(this.#state, dialAfter(loss))
      scope.abort(leaseEndedError(loss.endpoint, loss.error))
      driver.destroy(lease.connection)
      this.#flaps = flapsAfter(this.#flaps, ending, clock.now() - dialedAtMs)
      if (ending.kind === 'lost') this.#onLost(lease, loss)
      else this.#enter(dialAfter(loss))
      over.resolve({ ending, loss })
    }
    const enter = (state: LinkState<C>): void => {
      this.#enter(state)
      if (state.kind === 'ready' && before !== undefined) {
        this.#onFailover(before, lease, dialedAtMs)
        before = undefined
      }
    }
    this.#current = { lease, end }
    serveLease({ options, desiredState: this.desiredState, lease, end, enter, onRefused })
    return raceAbort(over.promise, this.#scope.signal, ({ ending }) => {
      if (ending.kind === 'moved') driver.destroy(ending.next.connection)
    })
  }

  #onLost(lease: Lease<C>, loss: Loss): void {
    const { driver, registry, clock } = this.#options
    if (driver.classify(loss.error).scope === 'endpoint') {
      registry.observe({ kind: 'failed', endpoint: lease.endpoint, atMs: clock.now(), error: loss.error })
    }
    this.#enter(dialAfter(loss))
    this.#reporter.lost(loss)
  }

  #onFailover({ loss, atMs }: LastLoss, lease: Lease<C>, dialedAtMs: number): void {
    const restoreMs = this.#options.clock.now() - dialedAtMs
    const to = formatEndpoint(lease.endpoint)
    this.#reporter.failover({ ...loss, to, dialMs: dialedAtMs - atMs, restoreMs })
  }

  // A listener may close the link at any time; later transitions are dropped.
  #enter(next: LinkState<C>): void {
    if (this.#state.kind === 'closed') return
    this.#state = transition(this.#state, next)
    this.#report(next)
  }

  #report(next: LinkState<C>): void {
    this.#changed.notifyAll()
    this.#reporter.state(next, this.#generation)
  }

  // The loop ends by rejection: when the link closes, or by a defect, which must not look like an outage.
  #onRunEnded(error: unknown): void {
    if (this.#state.kind === 'closed') return
    this.#defect = new HaError('internal', `the ${this.#options.name} link stopped`, { cause: error })
    const connection = this.#finish()
    if (connection !== undefined) this.#options.driver.destroy(connection)
  }

  #closedError(): HaError {
    return this.#defect ?? new HaError('closed', `the ${this.#options.name} link is closed`)
  }
}

interface LastLoss {
  readonly loss: Loss
  readonly atMs: number
}

interface LeaseResult<C> {
  readonly ending: LeaseEnd<C>
  readonly loss: Loss
}

interface ServeDeps<C> {
  readonly options: LinkOptions<C>
  readonly desiredState: DesiredState<C>
  readonly lease: Lease<C>
  readonly enter: (state: LinkState<C>) => void
  readonly onRefused: (key: string, error: HaError) => void
  /** Ends the lease at once; only the first call has an effect. */
  readonly end: (ending: LeaseEnd<C>) => void
}

/**
 * Starts the loops of one lease: reconciler, liveness, fail-back and state. All of them end when the signal of the lease
 * fires. A defect in one of them ends the lease with `internal`: the next lease starts them again.
 */
function serveLease<C>(deps: ServeDeps<C>): void {
  const { options, desiredState, lease } = deps
  const state = new LeaseState(deps)
  desiredState.renew(options.clock.now())
  const unwatch = options.driver.watch(lease.connection, (signal) => state.onSignal(signal))
  // The connection can end before the driver reports anything.
  if (lease.signal.aborted) {
    unwatch()
    return
  }
  lease.signal.addEventListener('abort', unwatch, { once: true })
  state.follow().catch(onDefectIn('state', deps))
  reconcileLease(deps).catch(onDefectIn('reconciler', deps))
  watchLease(deps, state).catch(onDefectIn('liveness check', deps))
  failBack(deps).catch(onDefectIn('fail-back', deps))
}

// Each loop ends by rejection when the signal of the lease fires; an earlier rejection is a defect.
function onDefectIn<C>(part: string, { options, end }: ServeDeps<C>): (thrown: unknown) => void {
  return (thrown) => {
    const cause = asError(thrown)
    const message = `the ${part} of the ${options.name} link failed: ${cause.message}`
    end({ kind: 'lost', error: new HaError('internal', message, { cause, retryable: true }), detectMs: 0 })
  }
}

function reconcileLease<C>(deps: ServeDeps<C>): Promise<void> {
  const onLost = (error: Error): void => deps.end({ kind: 'lost', error, detectMs: 0 })
  return reconcile({ ...deps, onLost, onDefect: onDefectIn('reconciler', deps) }, deps.lease.signal)
}

async function watchLease<C>({ options, lease, end }: ServeDeps<C>, state: LeaseState<C>): Promise<void> {
  const { driver, clock, liveness } = options
  const suspended = (): boolean => state.suspended
  const { error, quietMs } = await watchLiveness({ driver, clock, liveness, lease, suspended }, lease.signal)
  end({ kind: 'lost', error, detectMs: quietMs })
}

async function failBack<C>({ options, lease, end }: ServeDeps<C>): Promise<void> {
  if (options.strategy !== 'sequential' || options.failBackAfterMs === Number.POSITIVE_INFINITY) return
  const next = await dialBetterEndpoint(options, lease, lease.signal)
  try {
    await raceAbort(options.beforeMove(lease), lease.signal, () => undefined)
    lease.signal.throwIfAborted()
  } catch (error) {
    // The lease ended meanwhile, and the link dials on its own: this connection is not needed.
    options.driver.destroy(next.connection)
    throw error
  }
  end({ kind: 'moved', next })
}

/** Derives the state of the link from the desired state and the signals of the server; its only writer during a lease. */
class LeaseState<C> {
  readonly #deps: ServeDeps<C>
  #reason: string | undefined
  #last: LinkState<C>['kind'] | undefined

  constructor(deps: ServeDeps<C>) {
    this.#deps = deps
  }

  get suspended(): boolean {
    return this.#reason !== undefined
  }

  onSignal(signal: ConnectionSignal): void {
    switch (signal.kind) {
      case 'lost':
        this.#deps.end({ kind: 'lost', error: signal.error, detectMs: 0 })
        return
      case 'suspended':
        this.#reason = signal.reason
        break
      case 'resumed':
        this.#reason = undefined
        break
    }
    this.#derive()
  }

  async follow(): Promise<void> {
    const { desiredState, lease } = this.#deps
    while (!lease.signal.aborted) {
      this.#derive()
      await desiredState.changed.wait(lease.signal)
    }
  }

  #derive(): void {
    const next = this.#next()
    if (this.#deps.lease.signal.aborted || next.kind === this.#last) return
    this.#last = next.kind
    this.#deps.enter(next)
  }

  #next(): LinkState<C> {
    const { desiredState, lease } = this.#deps
    if (this.#reason !== undefined) return { kind: 'suspended', lease, reason: this.#reason }
    return desiredState.open ? { kind: 'ready', lease } : { kind: 'restoring', lease }
  }
}

/** How a lease ended: its connection was lost, or the link moved to a better endpoint that is connected already. */
type LeaseEnd<C> =
  | {
      readonly kind: 'lost'
      readonly error: Error
      /** How long the server had been quiet before it was declared unresponsive; 0 when the end was reported. */
      readonly detectMs: number
    }
  | { readonly kind: 'moved'; readonly next: Dialed<C> }

// A connection that is lost sooner than this counts as a flap: the next dial backs off.
const stableMs = 5_000

const noFlaps: Flaps = { count: 0, error: undefined }

/** Folds the end of a lease into the flaps: a stable connection resets them, a planned move leaves them as they are. */
function flapsAfter(flaps: Flaps, ending: LeaseEnd<unknown>, livedMs: number): Flaps {
  if (livedMs >= stableMs) return noFlaps
  return ending.kind === 'lost' ? { count: flaps.count + 1, error: ending.error } : flaps
}

/** The end of a lease, as it is reported. */
function lossOf(lease: Lease<unknown>, ending: LeaseEnd<unknown>): Loss {
  const at = { endpoint: formatEndpoint(lease.endpoint), generation: lease.generation }
  return ending.kind === 'lost'
    ? { ...at, error: detachStack(ending.error), detectMs: ending.detectMs }
    : { ...at, error: failedBack(ending.next), detectMs: 0 }
}

// Until a dial has failed, the loss is the reason why there is no connection.
function dialAfter({ error, endpoint }: Loss): LinkState<never> {
  const lastError = isHaError(error)
    ? error
    : detachStack(new HaError('lost', error.message, { endpoint, retryable: true, cause: error }))
  return { ...firstDial, lastError }
}

function failedBack(next: Dialed<unknown>): HaError {
  return detachStack(
    new HaError('failed-back', `moved back to ${formatEndpoint(next.endpoint)}`, { retryable: true }),
  )
}

/** The current lease, and the function that ends it. */
interface CurrentLease<C> {
  readonly lease: Lease<C>
  readonly end: (ending: LeaseEnd<C>) => void
}
