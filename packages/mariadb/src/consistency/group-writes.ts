import { type Endpoint, sameEndpoint } from '@ha/core'

/**
 * Which node of a Galera cluster has all that this client wrote. Whoever acknowledged a write has everything that was
 * committed before it. The nodes' own positions say nothing: a node that has joined again counts on from a lower number
 * than the others (10.11, seen after each restart), and who waits for that number on another node waits for too little.
 */
export class GroupWrites {
  #latest: Acknowledged | undefined
  // Counts the writes, so that it can be said which came after which.
  #begun = 0

  /** Whether a read on this node sees everything without waiting. */
  isWholeAt(endpoint: Endpoint): boolean {
    const { at } = this.#latest ?? { at: endpoint }
    return at !== undefined && sameEndpoint(at, endpoint)
  }

  /**
   * Notes a write that has just been sent to a node, as soon as it is acknowledged. Without `written`, some were, and
   * nobody knows when they began. Never rejects.
   */
  async note(endpoint: Endpoint, written: Promise<unknown> | undefined): Promise<void> {
    this.#begun += 1
    const begun = this.#begun
    const acknowledged = written === undefined || (await written.then(yes, no))
    if (!acknowledged) return
    const before = this.#latest
    const follows = written !== undefined && (before === undefined || begun > before.notedAt)
    // Of two that overlapped on two nodes neither is known to have the other's.
    const isSame = before?.at !== undefined && sameEndpoint(before.at, endpoint)
    this.#latest = { at: follows || isSame ? endpoint : undefined, notedAt: this.#begun }
  }
}

interface Acknowledged {
  /** Undefined: no single node is known to have all. */
  readonly at: Endpoint | undefined
  /** How many writes had begun when it was acknowledged. */
  readonly notedAt: number
}

const yes = (): boolean => true
const no = (): boolean => false
