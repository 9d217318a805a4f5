import type { Clock } from '@ha/core'
import type { EnsembleNodeDeps } from './node-deps.ts'

/** What {@link Peers} needs from its node. */
interface PeersDeps extends Pick<EnsembleNodeDeps, 'options' | 'consensus' | 'quorum'> {
  readonly number: number
  /** Whether its process receives messages of the other nodes. */
  readonly isResponsive: () => boolean
}

/** A node's link to the other nodes: whether they reach each other, and which sessions it reports to the leader. */
export class Peers {
  readonly #deps: PeersDeps
  readonly #touches: TouchTable
  #isIsolated = false

  constructor(deps: PeersDeps) {
    this.#deps = deps
    const { options, consensus, quorum, number } = deps
    this.#touches = new TouchTable({
      clock: options.clock,
      everyMs: options.tickTimeMs / 2,
      ledSinceMs: () => quorum.ledSinceMs,
      isHeard: () => quorum.reaches(number),
      touchSession: (session) => consensus.sessions.touch(session),
    })
  }

  /** Whether it receives committed transactions. */
  get isFollowing(): boolean {
    const { number, quorum, isResponsive } = this.#deps
    return isResponsive() && !this.#isIsolated && quorum.isMember(number)
  }

  /** A client of this session has sent something. The leader counts its own clients at once. */
  touch(session: bigint): void {
    const { number, quorum, consensus } = this.#deps
    if (quorum.leader === number) consensus.sessions.touch(session)
    // A node outside the quorum reports nothing.
    else if (quorum.isMember(number)) this.#touches.add(session)
  }

  /** Announces the node to the others, unless it is isolated. */
  announce(): void {
    if (!this.#isIsolated) this.#deps.quorum.nodeReachable(this.#deps.number)
  }

  /** The other nodes receive nothing from it any more. */
  goSilent(): void {
    this.#deps.quorum.nodeSilent(this.#deps.number)
  }

  /** It and the other nodes do not reach each other any more. */
  isolate(): void {
    this.#isIsolated = true
    this.goSilent()
  }

  /** It and the other nodes reach each other again. */
  recover(): void {
    this.#isIsolated = false
    if (this.#deps.isResponsive()) this.announce()
  }

  /** The leader may be reachable again: late reports go before anything new. */
  onLeaderReachable(): void {
    this.#touches.sendLate()
  }

  /** It does not belong to the quorum any more. */
  stepDown(): void {
    this.#touches.clear()
  }

  /** Its process ends, which the other nodes notice at once. */
  leave(): void {
    this.#isIsolated = false
    this.#deps.quorum.nodeLost(this.#deps.number)
  }
}

/** What a {@link TouchTable} needs from its node. */
interface TouchTableDeps {
  readonly clock: Clock
  /** How often the leader pings its followers. */
  readonly everyMs: number
  /** When the leader was elected, by the clock. */
  readonly ledSinceMs: () => number
  /** Whether the node and the leader reach each other. */
  readonly isHeard: () => boolean
  /** Reports to the leader that a client of this session has sent something. */
  readonly touchSession: (session: bigint) => void
}

type State =
  /** No client has sent anything since the last ping. */
  | { readonly kind: 'none' }
  /** The next ping of the leader will collect the sessions. */
  | { readonly kind: 'noted'; readonly cancel: () => void }
  /** The ping, or the answer to it, is delayed until both reach each other again. */
  | { readonly kind: 'late' }

/**
 * The sessions whose clients a follower has heard from since it last answered a ping of the leader. It answers pings and
 * reads of clients by itself; the leader, which alone expires sessions, learns of them from its own pings only.
 */
class TouchTable {
  readonly #deps: TouchTableDeps
  readonly #sessions = new Set<bigint>()
  #state: State = { kind: 'none' }

  constructor(deps: TouchTableDeps) {
    this.#deps = deps
  }

  /** A client of this session has sent something. */
  add(session: bigint): void {
    this.#sessions.add(session)
    if (this.#state.kind !== 'none') return
    const cancel = this.#deps.clock.after(this.#nextPingMs(), () => this.#send())
    this.#state = { kind: 'noted', cancel }
  }

  /** Both may reach each other again: a delayed answer arrives before anything that is sent later. */
  sendLate(): void {
    if (this.#state.kind === 'late') this.#send()
  }

  /** The node does not belong to the quorum any more: the sessions are not reported. */
  clear(): void {
    if (this.#state.kind === 'noted') this.#state.cancel()
    this.#sessions.clear()
    this.#state = { kind: 'none' }
  }

  // At least one millisecond: the rounding error of a sum of times would be a timer that is always due.
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
