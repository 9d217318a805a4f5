import type { Clock } from '@ha/core'

// The first confirm of a healthy cluster takes a few milliseconds, an election a second or two, a failed one five more.
// So tries are frequent at first and then about one a second; in the end a broker that is merely slow gets its time.
const firstPatienceMs = 100
const electionPatienceMs = 1_000
const electionTries = 15
const longestPatienceMs = 60_000

/** How long the answer on try number `tries` (from 0) is waited for, in milliseconds. */
export function patienceMs(tries: number): number {
  const eager = Math.min(firstPatienceMs * 1.5 ** tries, electionPatienceMs)
  return Math.min(eager * 1.5 ** Math.max(0, tries - electionTries), longestPatienceMs)
}

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
    this.#cancel()
    this.#cancel = this.#clock.after(patienceMs(tries), () => {
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
