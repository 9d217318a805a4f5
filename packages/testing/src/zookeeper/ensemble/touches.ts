import type { Clock } from '@ha/core'

/** What touches need from their node. */
export interface TouchesEnds {
  readonly clock: Clock
  /** How often the leader asks for them. */
  readonly everyMs: number
  /** When the leader began to ask, by the clock. */
  readonly ledSinceMs: () => number
  /** Whether the node and the leader hear each other. */
  readonly isHeard: () => boolean
  /** Tells the leader that a client of a session was heard. */
  readonly tell: (session: bigint) => void
}

type State =
  /** Nobody was heard since the leader asked. */
  | { readonly kind: 'none' }
  /** The leader is about to ask. */
  | { readonly kind: 'noted'; readonly cancel: () => void }
  /** The leader's question, or the answer to it, is under way until both hear each other again. */
  | { readonly kind: 'late' }

/**
 * Which sessions a follower has heard of, and the leader not yet. It answers their pings and reads by itself; the
 * leader, who alone ends sessions, learns of them when it asks, and not from what is handed on to it.
 */
export class Touches {
  readonly #ends: TouchesEnds
  readonly #sessions = new Set<bigint>()
  #state: State = { kind: 'none' }

  constructor(ends: TouchesEnds) {
    this.#ends = ends
  }

  /** A client of this session was heard. */
  note(session: bigint): void {
    this.#sessions.add(session)
    if (this.#state.kind !== 'none') return
    const cancel = this.#ends.clock.after(this.#askedInMs(), () => this.#hand())
    this.#state = { kind: 'noted', cancel }
  }

  /** Both may hear each other again: what was under way arrives before anything that is said from now on. */
  arrive(): void {
    if (this.#state.kind === 'late') this.#hand()
  }

  /** The node does not belong to the leader any more, who will never hear of them. */
  forget(): void {
    if (this.#state.kind === 'noted') this.#state.cancel()
    this.#sessions.clear()
    this.#state = { kind: 'none' }
  }

  // The residue of a sum of times would be a timer that is due for ever: none waits for less than a millisecond.
  #askedInMs(): number {
    const { clock, everyMs, ledSinceMs } = this.#ends
    return Math.max(1, everyMs - ((clock.now() - ledSinceMs()) % everyMs))
  }

  #hand(): void {
    if (!this.#ends.isHeard()) {
      this.#state = { kind: 'late' }
      return
    }
    this.#state = { kind: 'none' }
    for (const session of this.#sessions) this.#ends.tell(session)
    this.#sessions.clear()
  }
}
