import type { Clock } from '@ha/core'

// The first confirm of a healthy cluster takes a few milliseconds. What hangs longer than this is tried on a new
// channel, each time with half as much patience again, so that a broker that is merely slow gets its time.
const firstPatienceMs = 100
const longestPatienceMs = 60_000

/**
 * How a lane behaves after a nack. A channel that begins while a quorum queue elects its leader either nacks
 * everything for as long as it lives or hangs for seven seconds (RabbitMQ 3.10), though a new channel would do a moment
 * later. So one message at a time goes out, on one fresh channel after the other, until one is taken.
 */
export class Caution {
  readonly #clock: Clock
  /** Undefined: no reason for caution. */
  #tries: number | undefined
  #cancel: () => void = () => undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get on(): boolean {
    return this.#tries !== undefined
  }

  /** A message was nacked. */
  begin(): void {
    this.#cancel()
    this.#tries ??= 0
  }

  /** One message is on its way; `onHung` is called when its answer takes too long. */
  watch(onHung: () => void): void {
    const tries = this.#tries
    if (tries === undefined) return
    const patienceMs = Math.min(firstPatienceMs * 1.5 ** tries, longestPatienceMs)
    this.#cancel()
    this.#cancel = this.#clock.after(patienceMs, () => {
      this.#tries = tries + 1
      onHung()
    })
  }

  /** The channel is over: nothing on it is waited for. */
  unwatch(): void {
    this.#cancel()
  }

  /** The broker has taken a message. */
  end(): void {
    this.#cancel()
    this.#tries = undefined
  }
}
