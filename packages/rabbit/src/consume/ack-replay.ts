import type { Clock } from '@ha/core'
import type { Disposition } from './delivery.ts'

interface Settled {
  readonly disposition: Disposition
  readonly atMs: number
}

// Ids of some 40 bytes: ten thousand are under two megabytes. The broker hands out again within seconds; ten minutes
// also cover a node that was away.
const mostIds = 10_000
const keptMs = 600_000

/**
 * Remembers what handlers decided when the channel to say it on was gone, so that the message, when the broker hands
 * it out again, is answered without running its handler a second time in this process.
 */
export class AckReplay {
  readonly #clock: Clock
  readonly #settled = new Map<string, Settled>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  remember(messageId: string, disposition: Disposition): void {
    this.#settled.delete(messageId)
    this.#settled.set(messageId, { disposition, atMs: this.#clock.now() })
    if (this.#settled.size <= mostIds) return
    const [oldest] = this.#settled.keys()
    if (oldest !== undefined) this.#settled.delete(oldest)
  }

  /** What was decided about a message that is handed out again; each decision is given once. */
  take(messageId: string): Disposition | undefined {
    const settled = this.#settled.get(messageId)
    if (settled === undefined) return undefined
    this.#settled.delete(messageId)
    return this.#clock.now() - settled.atMs < keptMs ? settled.disposition : undefined
  }
}
