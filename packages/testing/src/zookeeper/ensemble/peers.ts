import type { Clock } from '@ha/core'
import type { NodeDeps } from './node-deps.ts'

/** What a node needs to have to do with the others. */
interface PeersDeps extends Pick<NodeDeps, 'clock' | 'options' | 'consensus' | 'quorum'> {
  readonly number: number
  /** Whether its process hears what the others do. */
  readonly isResponsive: () => boolean
}

/** What a node has to do with the other nodes: whether they hear each other, and what it tells the leader of its clients. */
export class Peers {
  readonly #deps: PeersDeps
  readonly #touches: TouchTable
  #isIsolated = false

  constructor(deps: PeersDeps) {
    this.#deps = deps
    const { clock, options, consensus, quorum, number } = deps
    this.#touches = new TouchTable({
      clock,
      everyMs: options.tickTimeMs / 2,
      ledSinceMs: () => quorum.ledSinceMs,
      isHeard: () => quorum.reaches(number),
      touchSession: (session) => consensus.sessions.touch(session),
    })
  }

  /** Whether it learns what is agreed upon. */
  get isFollowing(): boolean {
    const { number, quorum, isResponsive } = this.#deps
    return isResponsive() && !this.#isIsolated && quorum.isMember(number)
  }

  /** One of its clients was heard. The leader knows at once of its own. */
  touch(session: bigint): void {
    const { number, quorum, consensus } = this.#deps
    if (quorum.leader === number) consensus.sessions.touch(session)
    // A node that the others have given up tells nobody.
    else if (quorum.isMember(number)) this.#touches.add(session)
  }

  /** Lets the others know that it is there, unless they cannot hear it. */
  announce(): void {
    if (!this.#isIsolated) this.#deps.quorum.nodeReachable(this.#deps.number)
  }

  /** Says nothing any more. */
  goSilent(): void {
    this.#deps.quorum.nodeSilent(this.#deps.number)
  }

  /** It and the others do not hear each other any more. */
  isolate(): void {
    this.#isIsolated = true
    this.goSilent()
  }

  /** The network between them carries again. */
  recover(): void {
    this.#isIsolated = false
    if (this.#deps.isResponsive()) this.announce()
  }

  /** It may hear the leader again: what it owes him goes before anything new. */
  onLeaderReachable(): void {
    this.#touches.sendLate()
  }

  /** It is one of them no more. */
  standDown(): void {
    this.#touches.clear()
  }

  /** Its process ends: they know at once. */
  leave(): void {
    this.#isIsolated = false
    this.#deps.quorum.nodeLost(this.#deps.number)
  }
}

/** What touches need from their node. */
interface TouchTableDeps {
  readonly clock: Clock
  /** How often the leader asks for them. */
  readonly everyMs: number
  /** When the leader began to ask, by the clock. */
  readonly ledSinceMs: () => number
  /** Whether the node and the leader hear each other. */
  readonly isHeard: () => boolean
  /** Tells the leader that a client of a session was heard. */
  readonly touchSession: (session: bigint) => void
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
class TouchTable {
  readonly #deps: TouchTableDeps
  readonly #sessions = new Set<bigint>()
  #state: State = { kind: 'none' }

  constructor(deps: TouchTableDeps) {
    this.#deps = deps
  }

  /** A client of this session was heard. */
  add(session: bigint): void {
    this.#sessions.add(session)
    if (this.#state.kind !== 'none') return
    const cancel = this.#deps.clock.after(this.#nextPingMs(), () => this.#send())
    this.#state = { kind: 'noted', cancel }
  }

  /** Both may hear each other again: what was under way arrives before anything that is said from now on. */
  sendLate(): void {
    if (this.#state.kind === 'late') this.#send()
  }

  /** The node does not belong to the leader any more, who will never hear of them. */
  clear(): void {
    if (this.#state.kind === 'noted') this.#state.cancel()
    this.#sessions.clear()
    this.#state = { kind: 'none' }
  }

  // The residue of a sum of times would be a timer that is due for ever: none waits for less than a millisecond.
  #nextPingMs(): number {
    const { clock, everyMs, ledSinceMs } = this.#deps
    return Math.max(1, everyMs - ((clock.now() - ledSinceMs()) % everyMs))
  }

  #send(): void {
    if (!this.#deps.isHeard()) {
      this.#state = { kind: 'late' }
      return
    }
    this.#state = { kind: 'none' }
    for (const session of this.#sessions) this.#deps.touchSession(session)
    this.#sessions.clear()
  }
}
