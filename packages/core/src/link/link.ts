import { formatEndpoint } from '../address/endpoint.ts'
import { endPolitely } from '../connection.ts'
import { detachStack, HaError } from '../errors/ha-error.ts'
import { fullJitter } from '../policy/backoff.ts'
import type { Events } from '../runtime/emitter.ts'
import { deferred } from '../runtime/gate.ts'
import { Notifier } from '../runtime/pulse.ts'
import { linkedController, raceAbort } from '../runtime/scope.ts'
import { DesiredState } from '../session/ledger.ts'
import { type Lease, leaseOver, type Source } from '../source.ts'
import type { Dialed } from './dial.ts'
import { dialUntilConnected } from './dial-rounds.ts'
import { type Current, type Ending, flapsAfter, lossOf, noFlaps } from './ending.ts'
import type { LinkEvents, Loss } from './link-events.ts'
import { type LinkHealth, linkHealth } from './link-health.ts'
import { firstRound, type LinkState, moved, troubleOf } from './link-state.ts'
import type { LinkOptions } from './options.ts'
import { serve } from './serve.ts'
import { Telling } from './telling.ts'

/**
 * One connection kept alive: dialled, restored, watched, and made again elsewhere when it is lost. At most one lease
 * is valid at a time; each has a higher generation than the one before.
 */
export class Link<C> implements Source<C> {
  readonly #options: LinkOptions<C>
  readonly #telling: Telling<C>
  readonly #changed = new Notifier()
  readonly #scope = linkedController()
  /** What must hold on every connection. */
  readonly desiredState: DesiredState<C> = new DesiredState<C>()
  #state: LinkState<C> = { kind: 'idle' }
  #current: Current<C> | undefined
  #generation = 0
  #flaps = noFlaps
  #running: Promise<unknown> = Promise.resolve()
  #defect: HaError | undefined
  #closing: Promise<void> | undefined

  constructor(options: LinkOptions<C>) {
    this.#options = options
    this.#telling = new Telling(options.name)
  }

  get state(): LinkState<C> {
    return this.#state
  }

  get events(): Events<LinkEvents<C>> {
    return this.#telling.events
  }

  /** What the link believes and does, as plain data. */
  health(): LinkHealth {
    const { name, roster, clock } = this.#options
    const { view } = roster
    const facts = { name, state: this.#state, generation: this.#generation, view, ledger: this.desiredState }
    return linkHealth(facts, clock.now())
  }

  /** Begins to dial. Without it, the first {@link acquire} does. */
  start(): void {
    if (this.#state.kind !== 'idle') return
    this.#enter(firstRound)
    this.#running = this.#run().catch((error: unknown) => this.#onRunEnded(error))
  }

  /**
   * Waits for a usable connection. Rejects with the signal's reason, with `closed`, or at once with `refused` while
   * every endpoint says no for good.
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

  /** Nothing: the one connection belongs to everybody. */
  release(): void {}

  /** Says that a lease has failed: the link goes elsewhere. Ignored when the lease is of an older generation. */
  fail(lease: Lease<C>, error: Error, detectMs = 0): void {
    if (this.#current?.lease.generation !== lease.generation) return
    this.#current.end({ kind: 'lost', error, detectMs })
  }

  /** Why the last round of dials failed, while there is no connection. */
  trouble(): HaError | undefined {
    return troubleOf(this.#state)
  }

  /**
   * Says that a declaration no longer holds though the connection stands: it is put back, with back-off; without,
   * when whoever says it keeps the pace.
   */
  lapse(key: string, error: Error, { paced = false }: { readonly paced?: boolean } = {}): void {
    const { clock, restoreBackoff, random } = this.#options
    const backoff = fullJitter(restoreBackoff)
    const delayMs = (failures: number): number => (paced ? 0 : backoff(failures, random))
    this.desiredState.invalidate(key, { error: detachStack(error), nowMs: clock.now(), delayMs })
  }

  /**
   * Ends the connection politely, at the latest after `timeoutMs`, and everything that waits for one with `closed`.
   * Idempotent: every call returns the same promise, and it never rejects.
   */
  close(timeoutMs: number): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  async #close(timeoutMs: number): Promise<void> {
    const connection = this.#finish()
    await this.#running
    if (connection !== undefined) await endPolitely(this.#options, connection, { timeoutMs })
  }

  // The end of the link, once: state and signal, then the news. Hands over the connection that it still had.
  #finish(): C | undefined {
    const connection = this.#current?.lease.connection
    this.#current = undefined
    if (this.#state.kind === 'closed') return connection
    this.#state = { kind: 'closed' }
    this.#scope.abort(detachStack(this.#closedError()))
    this.#tell(this.#state)
    return connection
  }

  async #run(): Promise<never> {
    let dialed = await this.#dial()
    let before: Lost | undefined
    for (;;) {
      this.#takeUnlessOver(dialed)
      const { ending, loss } = await this.#serve(dialed, before)
      before = { loss, atMs: this.#options.clock.now() }
      dialed = ending.kind === 'moved' ? ending.next : await this.#dial()
    }
  }

  // Several turns of the microtask queue lie between a handshake and this line: the link may be over by now.
  #takeUnlessOver({ connection }: Dialed<C>): void {
    const { signal } = this.#scope
    if (signal.aborted) this.#options.driver.destroy(connection)
    signal.throwIfAborted()
  }

  #dial(): Promise<Dialed<C>> {
    const enter = (state: LinkState<C>): void => this.#enter(state)
    const dialling = { options: this.#options, turn: this.#generation, flaps: this.#flaps, enter }
    return dialUntilConnected(dialling, this.#scope.signal)
  }

  // One lease from its first moment to its last. Its end is synchronous: nobody is lent a connection known to be lost.
  #serve(dialed: Dialed<C>, before: Lost | undefined): Promise<Ended<C>> {
    const options = this.#options
    const { clock, driver } = options
    const scope = linkedController(this.#scope.signal)
    this.#generation += 1
    const lease = { ...dialed, generation: this.#generation, signal: scope.signal }
    const dialedAtMs = clock.now()
    const over = deferred<Ended<C>>()
    const end = (ending: Ending<C>): void => {
      if (scope.signal.aborted) return
      const loss = lossOf(lease, ending)
      this.#current = undefined
      this.#state = moved(this.#state, firstRound)
      scope.abort(leaseOver(loss.endpoint, loss.error))
      driver.destroy(lease.connection)
      this.#flaps = flapsAfter(this.#flaps, ending, clock.now() - dialedAtMs)
      if (ending.kind === 'lost') this.#onLost(lease, loss)
      else this.#enter(firstRound)
      over.resolve({ ending, loss })
    }
    const enter = (state: LinkState<C>): void => {
      this.#enter(state)
      if (state.kind === 'ready' && before !== undefined) {
        this.#onFailover(before, lease, dialedAtMs)
        before = undefined
      }
    }
    const onRefused = (key: string, error: HaError): void => this.#telling.refused(key, error)
    this.#current = { lease, end }
    serve({ options, ledger: this.desiredState, lease, end, enter, onRefused })
    return raceAbort(over.promise, this.#scope.signal, ({ ending }) => {
      if (ending.kind === 'moved') driver.destroy(ending.next.connection)
    })
  }

  #onLost(lease: Lease<C>, loss: Loss): void {
    const { driver, roster, clock } = this.#options
    if (driver.classify(loss.error).scope === 'endpoint') {
      roster.observe({ kind: 'failed', endpoint: lease.endpoint, atMs: clock.now(), error: loss.error })
    }
    this.#enter(firstRound)
    this.#telling.lost(loss)
  }

  #onFailover({ loss, atMs }: Lost, lease: Lease<C>, dialedAtMs: number): void {
    const restoreMs = this.#options.clock.now() - dialedAtMs
    const to = formatEndpoint(lease.endpoint)
    this.#telling.failover({ ...loss, to, dialMs: dialedAtMs - atMs, restoreMs })
  }

  // A listener may close the link at any time; what was about to happen then does not.
  #enter(next: LinkState<C>): void {
    if (this.#state.kind === 'closed') return
    this.#state = moved(this.#state, next)
    this.#tell(next)
  }

  #tell(next: LinkState<C>): void {
    this.#changed.notifyAll()
    this.#telling.state(next, this.#generation)
  }

  // The loop ends by rejection: when the link is closed, or by a defect, which must not look like an outage.
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

interface Lost {
  readonly loss: Loss
  readonly atMs: number
}

interface Ended<C> {
  readonly ending: Ending<C>
  readonly loss: Loss
}
