import type { Clock } from '@ha/core'
import type { Membership, Values } from '../engine/membership.ts'
import type { Changes, Store } from '../engine/store.ts'
import type { Bond, Peer } from './bond.ts'

/** What a {@link Replication} is made of. */
export interface ReplicationEnds {
  readonly clock: Clock
  readonly store: Store
  /** How late a node is, in milliseconds. */
  readonly lagMsOf: (peer: Peer) => number
}

/** A primary and its replicas: who is not `read_only` writes, and the others follow, each with its own lag. */
export class Replication implements Bond {
  readonly #ends: ReplicationEnds
  readonly #up = new Set<Peer>()
  // Cancel what is still on its way.
  readonly #deliveries: (() => void)[] = []
  readonly #commits: { readonly seqno: number; readonly atMs: number }[] = []

  constructor(ends: ReplicationEnds) {
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
    this.back(peer)
  }

  left(peer: Peer): void {
    this.#up.delete(peer)
  }

  lost(peer: Peer): void {
    this.#up.delete(peer)
  }

  back(peer: Peer): void {
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
