import type { Clock } from '@ha/core'
import { type Deferred, deferred } from '@ha/core/driver'

/** What a quorum asks of, and tells, its ensemble. */
export interface QuorumDeps {
  readonly clock: Clock
  readonly nodes: number
  /** From the loss of a leader to the next one. */
  readonly electionMs: number
  /** From the moment when a node falls silent to the moment when the others give it up. */
  readonly detectMs: number
  /** How much a node knows: who knows most leads. */
  readonly lastZxidOf: (node: number) => bigint
  /** The node belongs to the quorum from now on. */
  readonly serve: (node: number) => void
  /** The node does not belong to it any more, and leaves its clients when it notices. */
  readonly standDown: (node: number) => void
  /** There is a new leader. */
  readonly onLeaderElected: () => void
  /** Whether something can be agreed upon, and by whom, may have changed. */
  readonly onChanged: () => void
}

/** Who belongs together and who leads. A node that closes its sockets is missed at once, a silent one after a while. */
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

  /** The number of the node that leads; undefined while there is none. */
  get leader(): number | undefined {
    return this.#leader
  }

  /** When the latest leader began to lead, by the clock. */
  get ledSinceMs(): number {
    return this.#ledSinceMs
  }

  /** How many leaders there were. */
  get term(): number {
    return this.#term
  }

  /** Whether something can be agreed upon at this moment: a leader is heard, and with it the majority. */
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

  /** Whether a node can have something agreed upon at this moment: the leader hears it as well. */
  reaches(node: number): boolean {
    return this.canAgree && this.#members.has(node) && this.#reachable.has(node)
  }

  /** Resolves when whether something can be agreed upon, and by whom, may have changed. */
  changed(): Promise<void> {
    return this.#change.promise
  }

  /** All nodes come up together, and need no time to find their first leader. */
  begin(): void {
    for (let node = 1; node <= this.#deps.nodes; node += 1) this.#reachable.add(node)
    this.#lead()
  }

  /** A node can be heard, for the first time or again. */
  nodeReachable(node: number): void {
    this.#silences.get(node)?.()
    this.#silences.delete(node)
    this.#reachable.add(node)
    if (this.#leader === undefined) this.#elect()
    else if (!this.#members.has(node)) this.#join(node)
    this.#fire()
  }

  /** Nothing is heard of a node, and nobody knows whether it is there. */
  nodeSilent(node: number): void {
    if (!this.#reachable.delete(node)) return
    const cancel = this.#deps.clock.after(this.#deps.detectMs, () => this.nodeLost(node))
    this.#silences.set(node, cancel)
    this.#fire()
  }

  /** A node is known to be away. */
  nodeLost(node: number): void {
    this.#silences.get(node)?.()
    this.#silences.delete(node)
    this.#reachable.delete(node)
    if (this.#members.delete(node)) this.#deps.standDown(node)
    if (this.#leader === node || !this.#isMajority(this.#members.size)) this.#dissolve()
    this.#fire()
  }

  /** Forgets what is under way. */
  end(): void {
    this.#cancelElection?.()
    for (const cancel of this.#silences.values()) cancel()
    this.#silences.clear()
  }

  #dissolve(): void {
    const members = [...this.#members]
    this.#leader = undefined
    this.#members.clear()
    for (const node of members) this.#deps.standDown(node)
    this.#elect()
  }

  #elect(): void {
    if (this.#cancelElection !== undefined || !this.#isMajority(this.#reachable.size)) return
    this.#cancelElection = this.#deps.clock.after(this.#deps.electionMs, () => {
      this.#cancelElection = undefined
      if (this.#isMajority(this.#reachable.size)) this.#lead()
    })
  }

  #lead(): void {
    const { lastZxidOf, onLeaderElected: onLed } = this.#deps
    const candidates = [...this.#reachable].sort((a, b) => b - a)
    this.#leader = candidates.reduce((best, node) => (lastZxidOf(node) > lastZxidOf(best) ? node : best))
    this.#term += 1
    this.#ledSinceMs = this.#deps.clock.now()
    onLed()
    for (const node of candidates) this.#join(node)
    this.#fire()
  }

  #join(node: number): void {
    this.#members.add(node)
    this.#deps.serve(node)
  }

  #isMajority(count: number): boolean {
    return count > this.#deps.nodes / 2
  }

  #fire(): void {
    this.#deps.onChanged()
    const change = this.#change
    this.#change = deferred()
    change.resolve()
  }
}
