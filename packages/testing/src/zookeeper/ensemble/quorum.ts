import { type Deferred, deferred } from '@ha/core/driver'
import type { FakeEnsembleOptions } from './options.ts'

/** What a quorum needs from its ensemble. */
export interface QuorumDeps {
  readonly options: Pick<Required<FakeEnsembleOptions>, 'clock' | 'nodes' | 'electionMs' | 'detectMs'>
  /** The last transaction of a node: the node with the highest one leads. */
  readonly lastZxidOf: (node: number) => bigint
  /** The node belongs to the quorum from now on. */
  readonly serve: (node: number) => void
  /** The node does not belong to the quorum any more, and closes its connections when it notices. */
  readonly stepDown: (node: number) => void
  /** A leader was elected. */
  readonly onLeaderElected: () => void
  /** Whether the quorum can commit, and for which nodes, may have changed. */
  readonly onChanged: () => void
}

/**
 * The members of the quorum and its leader. A node that closes its sockets is excluded at once, a silent one after
 * `detectMs`.
 */
export class Quorum {
  readonly #deps: QuorumDeps
  readonly #reachable = new Set<number>()
  readonly #members = new Set<number>()
  readonly #silences = new Map<number, () => void>()
  #leader: number | undefined
  #ledSinceMs = 0
  #term = 0
  #cancelElection: (() => void) | undefined
  #change: Deferred<void> = deferred()

  constructor(deps: QuorumDeps) {
    this.#deps = deps
  }

  /** The number of the leader; undefined while there is none. */
  get leader(): number | undefined {
    return this.#leader
  }

  /** When the latest leader was elected, by the clock. */
  get ledSinceMs(): number {
    return this.#ledSinceMs
  }

  /** How many leaders were elected. */
  get term(): number {
    return this.#term
  }

  /** Whether the quorum can commit now: the leader and a majority of members are reachable. */
  get canAgree(): boolean {
    return (
      this.#leader !== undefined &&
      this.#reachable.has(this.#leader) &&
      this.#isMajority([...this.#members].filter((node) => this.#reachable.has(node)).length)
    )
  }

  isMember(node: number): boolean {
    return this.#members.has(node)
  }

  /** Whether the quorum can commit for a node now: the node is reachable too. */
  reaches(node: number): boolean {
    return this.canAgree && this.#members.has(node) && this.#reachable.has(node)
  }

  /** Resolves when whether the quorum can commit, and for which nodes, may have changed. */
  changed(): Promise<void> {
    return this.#change.promise
  }

  /** All nodes start together and elect their first leader at once. */
  begin(): void {
    for (let node = 1; node <= this.#deps.options.nodes; node += 1) this.#reachable.add(node)
    this.#lead()
  }

  /** A node is reachable, for the first time or again. */
  nodeReachable(node: number): void {
    this.#silences.get(node)?.()
    this.#silences.delete(node)
    this.#reachable.add(node)
    if (this.#leader === undefined) this.#elect()
    else if (!this.#members.has(node)) this.#join(node)
    this.#fire()
  }

  /** A node is silent; the others do not know whether it is alive. */
  nodeSilent(node: number): void {
    if (!this.#reachable.delete(node)) return
    const cancel = this.#deps.options.clock.after(this.#deps.options.detectMs, () => this.nodeLost(node))
    this.#silences.set(node, cancel)
    this.#fire()
  }

  /** A node is known to be down. */
  nodeLost(node: number): void {
    this.#silences.get(node)?.()
    this.#silences.delete(node)
    this.#reachable.delete(node)
    if (this.#members.delete(node)) this.#deps.stepDown(node)
    if (this.#leader === node || !this.#isMajority(this.#members.size)) this.#dissolve()
    this.#fire()
  }

  /** Stops its timers. */
  end(): void {
    this.#cancelElection?.()
    for (const cancel of this.#silences.values()) cancel()
    this.#silences.clear()
  }

  #dissolve(): void {
    const members = [...this.#members]
    this.#leader = undefined
    this.#members.clear()
    for (const node of members) this.#deps.stepDown(node)
    this.#elect()
  }

  #elect(): void {
    if (this.#cancelElection !== undefined || !this.#isMajority(this.#reachable.size)) return
    this.#cancelElection = this.#deps.options.clock.after(this.#deps.options.electionMs, () => {
      this.#cancelElection = undefined
      if (this.#isMajority(this.#reachable.size)) this.#lead()
    })
  }

  #lead(): void {
    const { lastZxidOf, onLeaderElected } = this.#deps
    const candidates = [...this.#reachable].sort((a, b) => b - a)
    this.#leader = candidates.reduce((best, node) => (lastZxidOf(node) > lastZxidOf(best) ? node : best))
    this.#term += 1
    this.#ledSinceMs = this.#deps.options.clock.now()
    onLeaderElected()
    for (const node of candidates) this.#join(node)
    this.#fire()
  }

  #join(node: number): void {
    this.#members.add(node)
    this.#deps.serve(node)
  }

  #isMajority(count: number): boolean {
    return count > this.#deps.options.nodes / 2
  }

  #fire(): void {
    this.#deps.onChanged()
    const change = this.#change
    this.#change = deferred()
    change.resolve()
  }
}
