import { type Endpoint, formatEndpoint } from '@ha/core'

/**
 * Which nodes of a Galera cluster have all that this client wrote: a node has what was written through it, and what was
 * written through others before a wait on it began that succeeded. Nothing else proves it. An acknowledgement may be that
 * of a statement that changed nothing, which the group never saw; and the nodes' own positions do not compare: one that
 * has joined again counts on from a lower number than the others (10.11, seen after each restart).
 */
export class GroupWrites {
  // Counts what may have been written, so that it can be said what was before which wait.
  #count = 0
  /** By node, as `host:port`: the number of what was written there last. */
  readonly #written = new Map<string, number>()
  /** By node: the number of what had been written when the latest wait began that succeeded there. */
  readonly #waited = new Map<string, number>()

  /** Whether a read on this node sees everything without waiting. */
  isWholeAt(endpoint: Endpoint): boolean {
    const name = formatEndpoint(endpoint)
    const waited = this.#waited.get(name) ?? 0
    for (const [node, written] of this.#written) if (node !== name && written > waited) return false
    return true
  }

  /** Notes that something may have been written through a node; to be called when its end is known, whatever it is. */
  note(endpoint: Endpoint): void {
    this.#count += 1
    this.#written.set(formatEndpoint(endpoint), this.#count)
  }

  /** Runs a wait on a node, and notes what the node has when it succeeded. Rejects as the wait does. */
  async waitedAt(endpoint: Endpoint, wait: () => Promise<void>): Promise<void> {
    const name = formatEndpoint(endpoint)
    const before = this.#count
    await wait()
    this.#waited.set(name, Math.max(before, this.#waited.get(name) ?? 0))
  }
}
