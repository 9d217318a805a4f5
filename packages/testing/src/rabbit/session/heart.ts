import type { Clock } from '@ha/core'

/** What a {@link Heart} needs from its connection. */
export interface HeartEnds {
  readonly clock: Clock
  readonly intervalMs: number
  /** How many bytes were sent so far; undefined while the server itself is frozen. */
  readonly sentBytes: () => number | undefined
  /** How many bytes were received so far; undefined while the server itself does not read. */
  readonly receivedBytes: () => number | undefined
  readonly beat: () => void
  readonly onDead: () => void
}

/**
 * Heartbeats, timed as RabbitMQ times them: one is sent after half an interval without any other frame, and a client
 * that sends nothing during two looks, an interval apart, is dead.
 */
export class Heart {
  readonly #ends: HeartEnds
  #cancelSend: () => void = () => undefined
  #cancelLook: () => void = () => undefined

  constructor(ends: HeartEnds) {
    this.#ends = ends
  }

  start(): void {
    this.#watchSent(this.#ends.sentBytes())
    this.#watchReceived(this.#ends.receivedBytes(), 0)
  }

  end(): void {
    this.#cancelSend()
    this.#cancelLook()
  }

  #watchSent(before: number | undefined): void {
    const { clock, intervalMs, sentBytes, beat } = this.#ends
    this.#cancelSend = clock.after(intervalMs / 2, () => {
      const now = sentBytes()
      if (now !== undefined && now === before) beat()
      this.#watchSent(sentBytes())
    })
  }

  #watchReceived(before: number | undefined, silentLooks: number): void {
    const { clock, intervalMs, receivedBytes, onDead } = this.#ends
    this.#cancelLook = clock.after(intervalMs, () => {
      const now = receivedBytes()
      const isSilent = now !== undefined && now === before
      if (isSilent && silentLooks > 0) onDead()
      else this.#watchReceived(now, isSilent ? silentLooks + 1 : 0)
    })
  }
}
