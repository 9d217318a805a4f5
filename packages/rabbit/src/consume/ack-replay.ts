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
 * Remembers what handlers decided, so that a message whose answer did not arrive, when the broker hands it out again,
 * is answered without running its handler a second time in this process.
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

  /** What was decided about a message that is handed out again, or undefined when nothing is remembered. */
  find(messageId: string): Disposition | undefined {
    const settled = this.#settled.get(messageId)
    const fresh = settled !== undefined && this.#clock.now() - settled.atMs < keptMs
    return fresh ? settled.disposition : undefined
  }
}
