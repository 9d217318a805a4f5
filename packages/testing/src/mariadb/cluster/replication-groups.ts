import type { Clock } from '@ha/core'
import { type Deferred, deferred } from '@ha/core/driver'
import { serverError } from '../engine/errors.ts'
import type { Committer, Membership, Peer, ReplicationGroup, Values } from '../engine/membership.ts'
import type { Changes, Store } from '../engine/store.ts'

/** What a {@link GaleraGroup} is made of. */
interface GaleraDeps {
  readonly clock: Clock
  readonly store: Store
  /** From the loss of a node to the view without it: commits on the others hang so long. */
  readonly viewChangeMs: number
  /** From the return of a node that was given up to its being a member again; it knows after half of it. */
  readonly rejoinMs: number
}

type PeerState =
  | 'heard'
  /** Nothing comes from it. */
  | 'lost'
  /** It is back, has been given up meanwhile, and does not know yet. */
  | 'unaware'
  /** It knows, and takes what it has missed. */
  | 'rejoining'

// What a provider says of a cluster that it has made itself.
const stateUuid = '6b1f0000-0000-11f1-8000-000000000001'

/** The group of a Galera cluster: who belongs to it, whether it has quorum, and who wins when two change the same row. */
export class GaleraGroup implements ReplicationGroup {
  readonly #ends: GaleraDeps
  readonly #peers = new Map<Peer, PeerState>()
  // The members of the last view that had quorum, whether they are heard or not.
  #primary: ReadonlySet<Peer> = new Set()
  #hasQuorum = true
  #views = 0
  // Cancels the view that is about to come, when one is.
  #change: (() => void) | undefined
  // Cancel the returns that are under way.
  readonly #rejoins: (() => void)[] = []
  #changed: Deferred<void> = deferred()

  constructor(ends: GaleraDeps) {
    this.#ends = ends
  }

  membershipOf(peer: Peer): Membership {
    return {
      commit: (changes, by) => this.#commit(peer, changes, by),
      status: () => this.#status(peer),
      variables: () => this.#variables(peer),
      replica: () => undefined,
    }
  }

  started(peer: Peer): void {
    this.#peers.set(peer, 'heard')
    this.#installView()
  }

  left(peer: Peer): void {
    this.#peers.delete(peer)
    this.#primary = new Set([...this.#primary].filter((member) => member !== peer))
    this.#installView()
  }

  lost(peer: Peer): void {
    this.#peers.set(peer, 'lost')
    const { clock, viewChangeMs } = this.#ends
    if (viewChangeMs === 0) this.#installView()
    else this.#change ??= clock.after(viewChangeMs, () => this.#installView())
  }

  returned(peer: Peer): void {
    if (this.#primary.has(peer)) {
      this.#peers.set(peer, 'heard')
      if (this.#change === undefined) this.#installView()
      return
    }
    // On a real cluster it took 0.5 s of 2.7 s until the node knew.
    const { clock, rejoinMs } = this.#ends
    this.#peers.set(peer, 'unaware')
    this.#rejoins.push(clock.after(rejoinMs / 2, () => this.#become(peer, 'unaware', 'rejoining')))
    this.#rejoins.push(clock.after(rejoinMs, () => this.#become(peer, 'rejoining', 'heard')))
  }

  published(seqno: number): void {
    for (const member of this.#members()) member.server?.applier.receive(seqno)
  }

  end(): void {
    this.#change?.()
    for (const cancel of this.#rejoins) cancel()
  }

  // Its clients and their transactions stay: only a node that takes a whole copy of the data drops them.
  #become(peer: Peer, from: PeerState, to: PeerState): void {
    if (this.#peers.get(peer) !== from) return
    this.#peers.set(peer, to)
    if (to === 'heard' && this.#change === undefined) this.#installView()
    this.#wake()
  }

  #installView(): void {
    const heard = this.#heard()
    const faithful = heard.filter((peer) => this.#primary.has(peer))
    this.#hasQuorum = this.#primary.size === 0 || faithful.length * 2 > this.#primary.size
    if (this.#hasQuorum) this.#primary = new Set(heard)
    this.#views += 1
    for (const { server } of this.#members()) server?.applier.receive(this.#ends.store.seqno)
    this.#change?.()
    this.#change = undefined
    this.#wake()
  }

  // Somebody's state has changed: every commit that waits looks again.
  #wake(): void {
    const changed = this.#changed
    this.#changed = deferred()
    changed.resolve()
  }

  #members(): readonly Peer[] {
    return [...this.#primary].filter((peer) => this.#isMember(peer))
  }

  #isMember(peer: Peer): boolean {
    return this.#hasQuorum && this.#primary.has(peer) && this.#peers.get(peer) === 'heard'
  }

  // Whoever is about to lose its place thinks that it still has it.
  #seemsMember(peer: Peer): boolean {
    const reach = this.#peers.get(peer)
    const isUndecided = this.#change !== undefined && this.#hasQuorum && this.#primary.has(peer)
    return this.#isMember(peer) || reach === 'unaware' || (isUndecided && reach === 'lost')
  }

  async #commit(peer: Peer, changes: Changes, { server, transaction }: Committer): Promise<number> {
    while (this.#change !== undefined || this.#peers.get(peer) === 'unaware') await this.#changed.promise
    if (!this.#isMember(peer) || peer.server !== server) throw serverError('cutOff')
    if (transaction.isAborted || isOvertaken(changes, server.applier.applied)) throw serverError('deadlock')
    const seqno = this.#ends.store.commit(changes)
    this.published(seqno)
    return seqno
  }

  #variables(peer: Peer): Values {
    const members = this.#seenBy(peer)
    return { auto_increment_increment: members.length, auto_increment_offset: members.indexOf(peer) + 1 }
  }

  #seenBy(peer: Peer): readonly Peer[] {
    if (!this.#seemsMember(peer) && this.#peers.get(peer) !== 'heard') return [peer]
    const seen = this.#seemsMember(peer) ? [...this.#primary, peer] : this.#heard()
    return [...new Set(seen)].sort((a, b) => a.number - b.number)
  }

  #heard(): readonly Peer[] {
    return [...this.#peers].flatMap(([peer, reach]) => (reach === 'heard' ? [peer] : []))
  }

  #status(peer: Peer): Values {
    const isMember = this.#seemsMember(peer)
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
      ...(isMember ? memberState(isDesynced) : outsiderState),
    }
  }
}

// Somebody has changed a row that this node has not seen yet: the first to commit wins.
function isOvertaken(changes: Changes, applied: number): boolean {
  return [...changes].some(([table, rows]) => [...rows.keys()].some((key) => table.changedAt(key) > applied))
}

const outsiderState: Values = { wsrep_local_state: 0, wsrep_local_state_comment: 'Initialized' }

function memberState(isDesynced: boolean): Values {
  return isDesynced
    ? { wsrep_local_state: 2, wsrep_local_state_comment: 'Donor/Desynced' }
    : { wsrep_local_state: 4, wsrep_local_state_comment: 'Synced' }
}

/** What a {@link PrimaryWithReplicas} is made of. */
interface ReplicationDeps {
  readonly clock: Clock
  readonly store: Store
  /** How late a node is, in milliseconds. */
  readonly lagMsOf: (peer: Peer) => number
}

/** A primary and its replicas: who is not `read_only` writes, and the others follow, each with its own lag. */
export class PrimaryWithReplicas implements ReplicationGroup {
  readonly #ends: ReplicationDeps
  readonly #up = new Set<Peer>()
  // Cancel what is still on its way.
  readonly #deliveries: (() => void)[] = []
  readonly #commits: { readonly seqno: number; readonly atMs: number }[] = []

  constructor(ends: ReplicationDeps) {
    this.#ends = ends
  }

  membershipOf(peer: Peer): Membership {
    return {
      commit: (changes) => Promise.resolve(this.#commit(peer, changes)),
      status: () => ({}),
      variables: () => ({}),
      replica: () => this.#replica(peer),
    }
  }

  started(peer: Peer): void {
    this.returned(peer)
  }

  left(peer: Peer): void {
    this.#up.delete(peer)
  }

  lost(peer: Peer): void {
    this.#up.delete(peer)
  }

  returned(peer: Peer): void {
    this.#up.add(peer)
    peer.server?.applier.receive(this.#ends.store.seqno)
  }

  published(seqno: number): void {
    for (const peer of this.#up) peer.server?.applier.receive(seqno)
  }

  end(): void {
    for (const cancel of this.#deliveries) cancel()
  }

  #commit(by: Peer, changes: Changes): number {
    const { clock, store, lagMsOf } = this.#ends
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
    const behindMs = missed === undefined ? 0 : this.#ends.clock.now() - missed.atMs
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
