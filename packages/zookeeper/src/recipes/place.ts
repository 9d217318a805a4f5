import { deferred, type LinkedController, linkedController, raceAbort, timerGrainMs } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import type { Created, Stat, WatchEvent } from '../node.ts'
import { nameOf } from '../operations/paths.ts'
import type { LiveSession } from '../session/live-session.ts'
import type { Lease } from './lease.ts'
import { leaseOver } from './lease-over.ts'
import { persist } from './persist.ts'
import { withdraw } from './withdraw.ts'

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'held'; readonly letGo: () => void }
  /** `withdrawn` resolves when the node is gone, or goes in the background. */
  | { readonly kind: 'over'; readonly withdrawn: Promise<void> }

/**
 * One node of ours in a line, from its making to its end; when its turn has come, it is the lease that it waited for.
 * It ends once: given back, deleted by somebody, with its session, or, when it is held, as soon as it is not certain
 * any more. Then it is also deleted, so that a session that lives on does not keep what nobody holds.
 */
export class Place implements Lease {
  readonly path: string
  readonly token: bigint
  /** The session that owns the node. */
  readonly session: LiveSession
  readonly #ground: Ground
  readonly #scope: LinkedController
  #state: State = { kind: 'waiting' }

  constructor(ground: Ground, { path, stat }: Created, session: LiveSession) {
    this.path = path
    this.token = stat.czxid
    this.session = session
    this.#ground = ground
    this.#scope = linkedController(session.signal)
    this.#scope.signal.addEventListener('abort', () => this.#onOver(), { once: true })
    this.#watch().catch((thrown: unknown) => {
      if (!this.signal.aborted) ground.onDefect(`watching ${path}`, thrown)
    })
  }

  get signal(): AbortSignal {
    return this.#scope.signal
  }

  /** Its name below the folder of the line. */
  get name(): string {
    return nameOf(this.path)
  }

  /** For how long from now on no server can have ended its session, in milliseconds; negative when one can. */
  get certainForMs(): number {
    return this.session.certainUntilMs - this.#ground.clock.now()
  }

  /**
   * Makes a lease of it when its turn has come, as soon as it is certain for a while: after a freeze of ours the servers
   * have to be asked first. False when it is over.
   */
  async hold(signal: AbortSignal): Promise<boolean> {
    const letGo = this.session.keepCertain()
    try {
      while (!this.signal.aborted && this.certainForMs < timerGrainMs) await this.#pause(signal)
    } catch (thrown) {
      letGo()
      throw thrown
    }
    if (this.#state.kind !== 'waiting') letGo()
    else this.#beHeld(letGo)
    return this.valid()
  }

  valid(marginMs = 0): boolean {
    if (this.#state.kind !== 'held') return false
    const leftMs = this.certainForMs
    if (leftMs < timerGrainMs) this.#end('its session may have ended')
    return leftMs >= timerGrainMs && leftMs > marginMs
  }

  assert(marginMs = 0): void {
    if (this.valid(marginMs)) return
    const { aborted, reason } = this.signal
    throw leaseOver(this.path, aborted ? reason : `it is certain for less than ${marginMs} ms more`)
  }

  release(): Promise<void> {
    this.#end('it was released')
    return this.#state.kind === 'over' ? this.#state.withdrawn : Promise.resolve()
  }

  // Certainty comes with the answers to questions that are a quarter of the timeout apart.
  #pause(signal: AbortSignal): Promise<void> {
    return this.#ground.clock.sleep(this.session.timeoutMs / 24, signal)
  }

  #end(why: string): void {
    if (!this.signal.aborted) this.#scope.abort(leaseOver(this.path, why))
  }

  #onOver(): void {
    if (this.#state.kind === 'held') this.#state.letGo()
    const { path, session } = this
    // Behind everybody who listens to the signal: the next one may have it as soon as the node is gone.
    const withdrawn = Promise.resolve().then(() => withdraw(this.#ground, { path, session }))
    this.#state = { kind: 'over', withdrawn }
  }

  // It ends in time without being asked. What is certain becomes so for longer with the answers of servers.
  #beHeld(letGo: () => void): void {
    let cancel = (): void => undefined
    const look = (): void => {
      cancel()
      if (this.valid()) cancel = this.#ground.clock.after(this.certainForMs, look)
    }
    this.#state = {
      kind: 'held',
      letGo: () => {
        cancel()
        letGo()
      },
    }
    look()
    this.#onChange(look).catch(() => undefined)
  }

  // A server that takes the session over may grant it for less. Rejects when it is over.
  async #onChange(look: () => void): Promise<never> {
    for (;;) {
      await this.#ground.sessions.changed.wait(this.signal)
      look()
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this
    for (;;) {
      const changed = deferred()
      // Whoever stood behind it may hold it by now: nobody is asked first.
      const onEvent = ({ kind }: WatchEvent): void => {
        if (kind === 'deleted') this.#end('somebody deleted its node')
        changed.resolve()
      }
      const { value, unwatch } = await persist(this.#ground, signal, (options) =>
        this.#ground.watched.exists(this.path, onEvent, options),
      )
      if (!this.#isOurs(value)) this.#end('somebody deleted its node')
      await raceAbort(changed.promise, signal, () => undefined).finally(unwatch)
    }
  }

  #isOurs(stat: Stat | undefined): boolean {
    return stat?.czxid === this.token && stat.ephemeralOwner === this.session.id
  }
}
