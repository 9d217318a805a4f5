import { Duplex } from 'node:stream'
import type { Clock, Endpoint } from '@ha/core'
import type { Connect } from '@ha/core/driver'
import { clockOf } from '@ha/core/driver'
import type { FakeClock } from '@ha/core/testing'

/**
 * The host of one client: its process can be frozen while time passes, as by SIGSTOP, and its network can be cut while
 * its sockets stay open.
 */
export class TestHost {
  /** The clock of the process: timers that come due while it is frozen fire when it resumes. */
  readonly clock: Clock
  readonly dial: Connect
  readonly #time: FakeClock
  // Timers wait for the process to resume, packets for the network to heal.
  readonly #overdue: (() => void)[] = []
  readonly #arrivals: (() => void)[] = []
  readonly #departures: (() => void)[] = []
  #isFrozen = false
  #isCut = false

  constructor(time: FakeClock, dial: Connect) {
    this.#time = time
    this.clock = clockOf(
      () => time.now(),
      // As in Node.js, a timer waits for at least one millisecond.
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

  /** Resumes: first the overdue timers run, in their order, then the packets that have arrived. */
  thaw(): void {
    if (!this.#isFrozen) return
    this.#isFrozen = false
    for (const fire of this.#overdue.splice(0)) this.#after(0, fire)
    this.#time.after(0, () => this.#deliver())
  }

  /** Cuts the network: packets are held back in both directions, without an error. */
  cut(): void {
    this.#isCut = true
  }

  /** Heals the network: held back packets are delivered. */
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
    const cancel = this.#time.after(ms, fire)
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
