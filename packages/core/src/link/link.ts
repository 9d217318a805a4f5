import { formatEndpoint } from '../address/endpoint.ts'
import { HaError } from '../model/error.ts'
import { fullJitter } from '../policy/backoff.ts'
import { coreChannels } from '../report/channels.ts'
import { Emitter, type Events } from '../runtime/emitter.ts'
import { gate } from '../runtime/gate.ts'
import { Pulse } from '../runtime/pulse.ts'
import { abandonable, scopeBelow } from '../runtime/scope.ts'
import { Ledger } from '../session/ledger.ts'
import type { Lease, Source } from '../source.ts'
import { type Dialed, endPolitely } from './dial.ts'
import { dialUntilConnected, type Flaps } from './dial-rounds.ts'
import type { LinkEvents, Loss } from './link-events.ts'
import { type LinkHealth, linkHealth } from './link-health.ts'
import { endpointOf, type LinkState, leaseOf, moved } from './link-state.ts'
import type { LinkOptions } from './options.ts'
import { type Ending, serve } from './serve.ts'

interface Current<C> {
  readonly lease: Lease<C>
  readonly end: (ending: Ending<C>) => void
}

// A connection that ended sooner than this after it was made did not prove its endpoint: the next dial backs off.
const stableMs = 5_000

/**
 * One connection kept alive: dialled, restored, watched, and made again elsewhere when it is lost. At most one lease
 * is valid at a time; each has a higher generation than the one before.
 */
export class Link<C> implements Source<C> {
  readonly #options: LinkOptions<C>
  readonly #events = new Emitter<LinkEvents<C>>()
  readonly #changed = new Pulse()
  readonly #scope = scopeBelow()
  /** What must hold on every connection. */
  readonly ledger: Ledger<C> = new Ledger<C>()
  #state: LinkState<C> = { kind: 'idle' }
  #current: Current<C> | undefined
  #generation = 0
  #flaps: Flaps = { count: 0, error: undefined }
  #running: Promise<unknown> = Promise.resolve()
  #defect: HaError | undefined
  #closing: Promise<void> | undefined

  constructor(options: LinkOptions<C>) {
    this.#options = options
  }

  get state(): LinkState<C> {
    return this.#state
  }

  get events(): Events<LinkEvents<C>> {
    return this.#events
  }

  /** What the link believes and does, as plain data. */
  health(): LinkHealth {
    const { name, roster, clock } = this.#options
    const { view } = roster
    const facts = { name, state: this.#state, generation: this.#generation, view, ledger: this.ledger }
    return linkHealth(facts, clock.now())
  }

  /** Begins to dial. Without it, the first {@link acquire} does. */
  start(): void {
    if (this.#state.kind !== 'idle') return
    this.#enter({ kind: 'dialing', round: 0 })
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

  /** Says that a lease has failed: the link goes elsewhere. Ignored when the lease is of an older generation. */
  fail(lease: Lease<C>, error: Error, detectMs = 0): void {
    if (this.#current?.lease.generation === lease.generation) this.#current.end({ error, detectMs })
  }

  /**
   * Says that a declaration no longer holds though the connection stands: it is put back, with back-off; without,
   * when whoever says it keeps the pace.
   */
  lapse(key: string, error: Error, { paced = false }: { readonly paced?: boolean } = {}): void {
    const { clock, restoreBackoff, random } = this.#options
    const backoff = fullJitter(restoreBackoff)
    const delayMs = (failures: number): number => (paced ? 0 : backoff(failures, random))
    this.ledger.lapse(key, { error, nowMs: clock.now(), delayMs })
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
    const connection = leaseOf(this.#state)?.connection
    this.#enter({ kind: 'closed' })
    this.#scope.abort(this.#closedError())
    await this.#running
    if (connection !== undefined) await endPolitely(this.#options, connection, timeoutMs)
  }

  async #run(): Promise<never> {
    let dialed = await this.#dial()
    let before: Lost | undefined
    for (;;) {
      const { ending, loss } = await this.#serve(dialed, before)
      before = { loss, atMs: this.#options.clock.now() }
      dialed = ending.next ?? (await this.#dial())
    }
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
    const scope = scopeBelow(this.#scope.signal)
    this.#generation += 1
    const lease = { ...dialed, generation: this.#generation, signal: scope.signal }
    const dialedAtMs = clock.now()
    const over = gate<Ended<C>>()
    const end = (ending: Ending<C>): void => {
      if (scope.signal.aborted) return
      const loss = lossOf(lease, ending)
      scope.abort(leaseOver(loss))
      driver.destroy(lease.connection)
      this.#onLost(lease, loss, clock.now() - dialedAtMs)
      over.resolve({ ending, loss })
    }
    const enter = (state: LinkState<C>): void => {
      this.#enter(state)
      if (state.kind === 'ready' && before !== undefined) {
        this.#onFailover(before, lease, dialedAtMs)
        before = undefined
      }
    }
    const onRefused = (key: string, error: HaError): void => this.#events.emit('refused', { key, error })
    this.#current = { lease, end }
    serve({ options, ledger: this.ledger, lease, end, enter, onRefused })
    return abandonable(over.promise, this.#scope.signal, () => undefined)
  }

  #onLost(lease: Lease<C>, loss: Loss, livedMs: number): void {
    const { driver, roster, clock, name } = this.#options
    this.#current = undefined
    this.#flaps = { count: livedMs < stableMs ? this.#flaps.count + 1 : 0, error: loss.error }
    if (driver.classify(loss.error).scope === 'endpoint') {
      roster.observe({ kind: 'failed', endpoint: lease.endpoint, atMs: clock.now(), error: loss.error })
    }
    this.#enter({ kind: 'dialing', round: 0 })
    if (coreChannels.linkLost.hasSubscribers) coreChannels.linkLost.publish({ link: name, ...loss })
    this.#events.emit('lost', loss)
  }

  #onFailover({ loss, atMs }: Lost, lease: Lease<C>, dialedAtMs: number): void {
    const { clock, name } = this.#options
    const to = formatEndpoint(lease.endpoint)
    const failover = { ...loss, to, dialMs: dialedAtMs - atMs, restoreMs: clock.now() - dialedAtMs }
    if (coreChannels.linkFailover.hasSubscribers)
      coreChannels.linkFailover.publish({ link: name, ...failover })
    this.#events.emit('failover', failover)
  }

  #enter(next: LinkState<C>): void {
    this.#state = moved(this.#state, next)
    this.#changed.fire()
    if (coreChannels.linkState.hasSubscribers) {
      const endpoint = endpointOf(next)
      const at = endpoint === undefined ? undefined : formatEndpoint(endpoint)
      coreChannels.linkState.publish({
        link: this.#options.name,
        state: next.kind,
        endpoint: at,
        generation: this.#generation,
      })
    }
    this.#events.emit('state', next)
  }

  // The loop ends by rejection: when the link is closed, or by a defect, which must not look like an outage.
  #onRunEnded(error: unknown): void {
    if (this.#state.kind === 'closed') return
    this.#defect = new HaError('internal', `the ${this.#options.name} link stopped`, { cause: error })
    this.#enter({ kind: 'closed' })
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

function lossOf(lease: Lease<unknown>, { error, detectMs }: Ending<unknown>): Loss {
  return { endpoint: formatEndpoint(lease.endpoint), generation: lease.generation, error, detectMs }
}

function leaseOver({ endpoint, error }: Loss): HaError {
  return new HaError('lost', `the connection to ${endpoint} is over: ${error.message}`, {
    endpoint,
    cause: error,
    retryable: true,
  })
}
