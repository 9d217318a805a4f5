import type { Clock } from '@ha/core'
import { type Deferred, deferred } from '@ha/core/driver'
import { serverError } from '../engine/errors.ts'
import type { Committer, Membership, Peer, ReplicationGroup, Values } from '../engine/membership.ts'
import type { Changes, Store } from '../engine/store.ts'

/** The dependencies of a {@link GaleraGroup}. */
interface GaleraDeps {
  readonly clock: Clock
  readonly store: Store
  /** From the loss of a node to the view without it: commits on the other nodes wait that long. */
  readonly viewChangeMs: number
  /** From the return of an excluded node until it is a member again; it knows of its exclusion after half of it. */
  readonly rejoinMs: number
}

type PeerState =
  | 'connected'
  /** The other nodes receive nothing from it. */
  | 'lost'
  /** It is connected again, was excluded meanwhile, and does not know yet. */
  | 'unaware'
  /** It knows of its exclusion, and receives what it has missed. */
  | 'rejoining'

// The state UUID of a cluster that a provider has bootstrapped.
const stateUuid = '6b1f0000-0000-11f1-8000-000000000001'

/** The group of a Galera cluster: its members, its quorum, and the certification of commits. */
export class GaleraGroup implements ReplicationGroup {
  readonly #deps: GaleraDeps
  readonly #peers = new Map<Peer, PeerState>()
  // The members of the last view that had quorum, whether they are connected or not.
  #primary: ReadonlySet<Peer> = new Set()
  #hasQuorum = true
  #views = 0
  // Cancels the view change in progress, when there is one.
  #cancelViewChange: (() => void) | undefined
  // Cancel the rejoins in progress.
  readonly #rejoins: (() => void)[] = []
  #membershipChanged: Deferred<void> = deferred()

  constructor(deps: GaleraDeps) {
    this.#deps = deps
  }

  membershipOf(peer: Peer): Membership {
    return {
      commit: (changes, by) => this.#commit(peer, changes, by),
      status: () => this.#status(peer),
      variables: () => this.#variables(peer),
      replica: () => undefined,
    }
  }

  nodeStarted(peer: Peer): void {
    this.#peers.set(peer, 'connected')
    this.#installView()
  }

  nodeLeft(peer: Peer): void {
    this.#peers.delete(peer)
    this.#primary = new Set([...this.#primary].filter((member) => member !== peer))
    this.#installView()
  }

  nodeLost(peer: Peer): void {
    this.#peers.set(peer, 'lost')
    const { clock, viewChangeMs } = this.#deps
    if (viewChangeMs === 0) this.#installView()
    else this.#cancelViewChange ??= clock.after(viewChangeMs, () => this.#installView())
  }

  nodeReturned(peer: Peer): void {
    if (this.#primary.has(peer)) {
      this.#peers.set(peer, 'connected')
      if (this.#cancelViewChange === undefined) this.#installView()
      return
    }
    // On a real cluster the node knew of its exclusion after 0.5 s of 2.7 s.
    const { clock, rejoinMs } = this.#deps
    this.#peers.set(peer, 'unaware')
    this.#rejoins.push(clock.after(rejoinMs / 2, () => this.#advance(peer, 'unaware', 'rejoining')))
    this.#rejoins.push(clock.after(rejoinMs, () => this.#advance(peer, 'rejoining', 'connected')))
  }

  committedByTest(seqno: number): void {
    for (const member of this.#members()) member.server?.applier.receive(seqno)
  }

  end(): void {
    this.#cancelViewChange?.()
    for (const cancel of this.#rejoins) cancel()
  }

  // Its clients and their transactions stay: only a node that takes a full state transfer drops them.
  #advance(peer: Peer, from: PeerState, to: PeerState): void {
    if (this.#peers.get(peer) !== from) return
    this.#peers.set(peer, to)
    if (to === 'connected' && this.#cancelViewChange === undefined) this.#installView()
    this.#notifyCommits()
  }

  #installView(): void {
    const connected = this.#connected()
    const remaining = connected.filter((peer) => this.#primary.has(peer))
    this.#hasQuorum = this.#primary.size === 0 || remaining.length * 2 > this.#primary.size
    if (this.#hasQuorum) this.#primary = new Set(connected)
    this.#views += 1
    for (const { server } of this.#members()) server?.applier.receive(this.#deps.store.seqno)
    this.#cancelViewChange?.()
    this.#cancelViewChange = undefined
    this.#notifyCommits()
  }

  // The membership has changed: every commit that waits checks again.
  #notifyCommits(): void {
    const changed = this.#membershipChanged
    this.#membershipChanged = deferred()
    changed.resolve()
  }

  #members(): readonly Peer[] {
    return [...this.#primary].filter((peer) => this.#isMember(peer))
  }

  #isMember(peer: Peer): boolean {
    return this.#hasQuorum && this.#primary.has(peer) && this.#peers.get(peer) === 'connected'
  }

  // A node that is about to be excluded still reports that it is a member.
  #reportsMember(peer: Peer): boolean {
    const state = this.#peers.get(peer)
    const isUndecided = this.#cancelViewChange !== undefined && this.#hasQuorum && this.#primary.has(peer)
    return this.#isMember(peer) || state === 'unaware' || (isUndecided && state === 'lost')
  }

  async #commit(peer: Peer, changes: Changes, { server, transaction }: Committer): Promise<number> {
    while (this.#cancelViewChange !== undefined || this.#peers.get(peer) === 'unaware')
      await this.#membershipChanged.promise
    if (!this.#isMember(peer) || peer.server !== server) throw serverError('cutOff')
    if (transaction.isAborted || failsCertification(changes, server.applier.applied))
      throw serverError('deadlock')
    const seqno = this.#deps.store.commit(changes)
    this.committedByTest(seqno)
    return seqno
  }

  #variables(peer: Peer): Values {
    const members = this.#seenBy(peer)
    return { auto_increment_increment: members.length, auto_increment_offset: members.indexOf(peer) + 1 }
  }

  #seenBy(peer: Peer): readonly Peer[] {
    if (!this.#reportsMember(peer) && this.#peers.get(peer) !== 'connected') return [peer]
    const seen = this.#reportsMember(peer) ? [...this.#primary, peer] : this.#connected()
    return [...new Set(seen)].sort((a, b) => a.number - b.number)
  }

  #connected(): readonly Peer[] {
    return [...this.#peers].flatMap(([peer, state]) => (state === 'connected' ? [peer] : []))
  }

  #status(peer: Peer): Values {
    const isMember = this.#reportsMember(peer)
    const isDesynced = peer.server?.variable('wsrep_desync') === 'ON'
    const seen = this.#seenBy(peer)
    return {
      wsrep_cluster_conf_id: this.#views,
      wsrep_cluster_size: seen.length,
      wsrep_cluster_state_uuid: stateUuid,
      wsrep_cluster_status: isMember ? 'Primary' : 'non-Primary',
      wsrep_connected: 'ON',
      wsrep_last_committed: peer.server?.applier.applied ?? 0,
      wsrep_local_index: seen.indexOf(peer),
      wsrep_provider_name: 'Galera',
      wsrep_ready: isMember ? 'ON' : 'OFF',
      ...(isMember ? memberState(isDesynced) : nonMemberState),
    }
  }
}

// Whether a commit that this node has not applied yet has changed one of the rows: the first to commit wins.
function failsCertification(changes: Changes, applied: number): boolean {
  return [...changes].some(([table, rows]) => [...rows.keys()].some((key) => table.changedAt(key) > applied))
}

const nonMemberState: Values = { wsrep_local_state: 0, wsrep_local_state_comment: 'Initialized' }

function memberState(isDesynced: boolean): Values {
  return isDesynced
    ? { wsrep_local_state: 2, wsrep_local_state_comment: 'Donor/Desynced' }
    : { wsrep_local_state: 4, wsrep_local_state_comment: 'Synced' }
}

/** The dependencies of {@link PrimaryWithReplicas}. */
interface ReplicationDeps {
  readonly clock: Clock
  readonly store: Store
  /** The replication lag of a node. */
  readonly lagMsOf: (peer: Peer) => number
}

/** A primary and its replicas: a node that is not `read_only` writes, and the others follow, each with its own lag. */
export class PrimaryWithReplicas implements ReplicationGroup {
  readonly #deps: ReplicationDeps
  readonly #up = new Set<Peer>()
  // Cancel the deliveries in progress.
  readonly #deliveries: (() => void)[] = []
  readonly #commits: { readonly seqno: number; readonly atMs: number }[] = []

  constructor(deps: ReplicationDeps) {
    this.#deps = deps
  }

  membershipOf(peer: Peer): Membership {
    return {
      commit: (changes) => Promise.resolve(this.#commit(peer, changes)),
      status: () => ({}),
      variables: () => ({}),
      replica: () => this.#replica(peer),
    }
  }

  nodeStarted(peer: Peer): void {
    this.nodeReturned(peer)
  }

  nodeLeft(peer: Peer): void {
    this.#up.delete(peer)
  }

  nodeLost(peer: Peer): void {
    this.#up.delete(peer)
  }

  nodeReturned(peer: Peer): void {
    this.#up.add(peer)
    peer.server?.applier.receive(this.#deps.store.seqno)
  }

  committedByTest(seqno: number): void {
    for (const peer of this.#up) peer.server?.applier.receive(seqno)
  }

  end(): void {
    for (const cancel of this.#deliveries) cancel()
  }

  #commit(by: Peer, changes: Changes): number {
    const { clock, store, lagMsOf } = this.#deps
    const seqno = store.commit(changes)
    this.#commits.push({ seqno, atMs: clock.now() })
    for (const peer of this.#up) {
      const lagMs = peer === by ? 0 : lagMsOf(peer)
      if (lagMs === 0) peer.server?.applier.receive(seqno)
      else this.#deliveries.push(clock.after(lagMs, () => this.#deliver(peer, seqno)))
    }
    return seqno
  }

  #deliver(peer: Peer, seqno: number): void {
    if (this.#up.has(peer)) peer.server?.applier.receive(seqno)
  }

  #replica({ server }: Peer): Values | undefined {
    if (server?.variable('read_only') !== 'ON') return undefined
    const { applied, isStopped } = server.applier
    const missed = this.#commits.find((commit) => commit.seqno > applied)
    const behindMs = missed === undefined ? 0 : this.#deps.clock.now() - missed.atMs
    return {
      Slave_IO_State: 'Waiting for master to send event',
      Slave_IO_Running: 'Yes',
      Slave_SQL_Running: isStopped ? 'No' : 'Yes',
      Seconds_Behind_Master: isStopped ? null : Math.ceil(behindMs / 1_000),
      Using_Gtid: 'Slave_Pos',
      Gtid_IO_Pos: String(server.variable('gtid_current_pos')),
    }
  }
}
