import type { NodeEnds } from './node-ends.ts'
import { Touches } from './touches.ts'

/** What a node needs to have to do with the others. */
export interface PeersEnds extends Pick<NodeEnds, 'clock' | 'options' | 'agreement' | 'quorum'> {
  readonly number: number
  /** Whether its process hears what the others do. */
  readonly isAttentive: () => boolean
}

/** What a node has to do with the other nodes: whether they hear each other, and what it tells the leader of its clients. */
export class Peers {
  readonly #ends: PeersEnds
  readonly #touches: Touches
  #isIsolated = false

  constructor(ends: PeersEnds) {
    this.#ends = ends
    const { clock, options, agreement, quorum, number } = ends
    this.#touches = new Touches({
      clock,
      everyMs: options.tickTimeMs / 2,
      ledSinceMs: () => quorum.ledSinceMs,
      isHeard: () => quorum.reaches(number),
      tell: (session) => agreement.sessions.touch(session),
    })
  }

  /** Whether it learns what is agreed upon. */
  get isFollowing(): boolean {
    const { number, quorum, isAttentive } = this.#ends
    return isAttentive() && !this.#isIsolated && quorum.isMember(number)
  }

  /** One of its clients was heard. The leader knows at once of its own. */
  touch(session: bigint): void {
    const { number, quorum, agreement } = this.#ends
    if (quorum.leader === number) agreement.sessions.touch(session)
    // A node that the others have given up tells nobody.
    else if (quorum.isMember(number)) this.#touches.note(session)
  }

  /** Lets the others know that it is there, unless they cannot hear it. */
  greet(): void {
    if (!this.#isIsolated) this.#ends.quorum.heard(this.#ends.number)
  }

  /** Says nothing any more. */
  fallSilent(): void {
    this.#ends.quorum.silent(this.#ends.number)
  }

  /** It and the others do not hear each other any more. */
  isolate(): void {
    this.#isIsolated = true
    this.fallSilent()
  }

  /** The network between them carries again. */
  recover(): void {
    this.#isIsolated = false
    if (this.#ends.isAttentive()) this.greet()
  }

  /** It may hear the leader again: what it owes him goes before anything new. */
  hearLeader(): void {
    this.#touches.arrive()
  }

  /** It is one of them no more. */
  standDown(): void {
    this.#touches.forget()
  }

  /** Its process ends: they know at once. */
  leave(): void {
    this.#isIsolated = false
    this.#ends.quorum.lost(this.#ends.number)
  }
}
