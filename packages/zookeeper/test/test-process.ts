import { Duplex } from 'node:stream'
import type { Clock, Endpoint } from '@ha/core'
import type { Connect } from '@ha/core/driver'
import { clockOf } from '@ha/core/driver'
import type { FakeClock } from '@ha/core/testing'

/**
 * One process of a test, in the time of all: it can stand still while time goes on, as on SIGSTOP, and its network can
 * carry nothing, with its sockets open.
 */
export class TestProcess {
  /** Its own: timers that come due while it stands still fire when it goes on. */
  readonly clock: Clock
  readonly dial: Connect
  readonly #world: FakeClock
  // What waits for it to go on, or for its network to carry again.
  readonly #overdue: (() => void)[] = []
  readonly #arrivals: (() => void)[] = []
  readonly #departures: (() => void)[] = []
  #isFrozen = false
  #isCut = false

  constructor(world: FakeClock, dial: Connect) {
    this.#world = world
    this.clock = clockOf(
      () => world.now(),
      // As in Node, where no timer waits for less than a millisecond.
      (ms, fn) => this.#after(Math.max(1, ms), fn),
    )
    this.dial = async (endpoint: Endpoint, signal: AbortSignal) => this.#through(await dial(endpoint, signal))
  }

  get isFrozen(): boolean {
    return this.#isFrozen
  }

  freeze(): void {
    this.#isFrozen = true
  }

  /** Goes on: first with the timers, in their order, then with what has arrived. */
  thaw(): void {
    if (!this.#isFrozen) return
    this.#isFrozen = false
    for (const fire of this.#overdue.splice(0)) this.#after(0, fire)
    this.#world.after(0, () => this.#deliver())
  }

  /** Nothing goes out and nothing comes in, and nobody is told. */
  cut(): void {
    this.#isCut = true
  }

  /** The network carries what it owes. */
  heal(): void {
    this.#isCut = false
    for (const send of this.#departures.splice(0)) send()
    this.#deliver()
  }

  #after(ms: number, fn: () => void): () => void {
    let isOff = false
    const fire = (): void => {
      if (isOff) return
      if (this.#isFrozen) this.#overdue.push(fire)
      else fn()
    }
    const cancel = this.#world.after(ms, fire)
    return () => {
      isOff = true
      cancel()
    }
  }

  #through(inner: Duplex): Duplex {
    const outer: Duplex = new Duplex({
      allowHalfOpen: false,
      read: () => undefined,
      write: (bytes: Buffer, _encoding, done) => {
        this.#send(() => inner.destroyed || inner.write(bytes))
        done()
      },
      final: (done) => {
        this.#send(() => inner.end())
        done()
      },
      destroy: (error, done) => {
        this.#send(() => inner.destroy())
        done(error)
      },
    })
    inner.on('data', (bytes: Buffer) => this.#arrive(() => outer.destroyed || outer.push(bytes)))
    inner.on('end', () => this.#arrive(() => outer.destroyed || outer.push(null)))
    inner.on('error', (error) => this.#arrive(() => outer.destroy(error)))
    inner.on('close', () => this.#arrive(() => outer.destroy()))
    return outer
  }

  #send(act: () => void): void {
    if (this.#isCut) this.#departures.push(act)
    else act()
  }

  #arrive(act: () => void): void {
    this.#arrivals.push(act)
    this.#deliver()
  }

  #deliver(): void {
    while (!this.#isCut && !this.#isFrozen && this.#arrivals.length > 0) this.#arrivals.shift()?.()
  }
}
