import type { Clock } from '@ha/core'
import { containerOwner, ttlOf, type Znode } from '../tree/znode.ts'
import type { Agreement } from './agreement.ts'

/** What a sweeper needs from its ensemble. */
export interface SweeperEnds {
  readonly clock: Clock
  readonly agreement: Agreement
  readonly everyMs: number
  /** Whether something can be agreed upon at this moment. */
  readonly canAgree: () => boolean
}

/** Removes what nobody needs: containers whose last child has gone, and nodes whose time is over. */
export class Sweeper {
  readonly #ends: SweeperEnds
  #cancel: (() => void) | undefined

  constructor(ends: SweeperEnds) {
    this.#ends = ends
  }

  /** There may be something to remove one day. */
  wake(): void {
    const { clock, agreement, everyMs } = this.#ends
    if (this.#cancel !== undefined || agreement.tree.passing().length === 0) return
    this.#cancel = clock.after(everyMs, () => {
      this.#cancel = undefined
      this.#sweep()
      this.wake()
    })
  }

  end(): void {
    this.#cancel?.()
  }

  #sweep(): void {
    const { agreement, clock, canAgree } = this.#ends
    if (!canAgree()) return
    const { tree } = agreement
    for (const path of tree.passing()) {
      const node = tree.find(path)
      if (node !== undefined && isOver(node, agreement.calendarMs(clock.now()))) agreement.tidy(path)
    }
  }
}

// A container that never had a child is kept: whoever made it is about to use it.
function isOver(node: Znode, nowMs: number): boolean {
  if (node.childCount > 0) return false
  if (node.owner === containerOwner) return node.born > 0
  const ttlMs = ttlOf(node)
  return ttlMs !== undefined && nowMs - node.mtimeMs > ttlMs
}
