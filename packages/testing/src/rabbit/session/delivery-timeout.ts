import type { Clock } from '@ha/core'
import type { Held } from './unacked.ts'

/** What a {@link DeliveryTimeout} needs to know. */
export interface DeliveryTimeoutEnds {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly oldest: () => Held | undefined
  readonly onOverdue: () => void
}

/** Notices when a client keeps a message without an answer for too long. */
export class DeliveryTimeout {
  readonly #ends: DeliveryTimeoutEnds
  #cancel: (() => void) | undefined

  constructor(ends: DeliveryTimeoutEnds) {
    this.#ends = ends
  }

  /** Watches from now on; to be called whenever a message is delivered. */
  watch(): void {
    this.#cancel ??= this.#timer()
  }

  end(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  // One timer for the oldest: answers are many and overdue messages rare.
  #timer(): (() => void) | undefined {
    const { clock, timeoutMs, oldest, onOverdue } = this.#ends
    const held = oldest()
    if (held === undefined) return undefined
    const remainingMs = held.deliveredAtMs + timeoutMs - clock.now()
    return clock.after(Math.max(0, remainingMs), () => {
      this.#cancel = undefined
      if (oldest() === held) onOverdue()
      else this.watch()
    })
  }
}
