import type { Duplex } from 'node:stream'
import { type Clock, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { sameEndpoint } from '@ha/core/driver'
import { nodeByNumber } from '../../server/nodes.ts'
import { Script } from '../../server/script.ts'
import { type RequestScript, type Rule, requestInterpreter } from '../rules.ts'
import { containerOwner, statOf, type Txn, ttlOf, type Znode } from '../tree/data-tree.ts'
import type { AclEntry, Stat } from '../wire/records.ts'
import { Consensus, type Session } from './consensus.ts'
import { FakeNode } from './node.ts'
import { ensembleOptions, type FakeEnsembleOptions } from './options.ts'
import { Quorum } from './quorum.ts'
import { type RequestLog, requestLog } from './request-log.ts'

/** Starts a fake ZooKeeper ensemble in this process; the node with the highest number leads first. */
export async function startFakeEnsemble(options: FakeEnsembleOptions = {}): Promise<FakeEnsemble> {
  const ensemble = new FakeEnsemble(ensembleOptions(options))
  await ensemble.start()
  return ensemble
}

/** The current state of a node of the tree. */
export interface ZnodeSnapshot {
  readonly data: Buffer | null
  readonly acl: readonly AclEntry[]
  readonly stat: Stat
}

/** Fake ZooKeeper servers that share one tree, and fail on demand. */
export class FakeEnsemble {
  /** The requests of all clients, on all nodes. */
  readonly log: RequestLog
  readonly nodes: readonly FakeNode[]
  readonly #quorum: Quorum
  readonly #consensus: Consensus
  readonly #containerManager: ContainerManager
  readonly #script: RequestScript = new Script(requestInterpreter)
  #accepted = 0

  constructor(options: Required<FakeEnsembleOptions>) {
    const { clock, containerCheckMs } = options
    this.log = requestLog(clock)
    this.#quorum = new Quorum({
      options,
      lastZxidOf: (number) => this.node(number).lastZxid,
      serve: (number) => this.node(number).serve(),
      stepDown: (number) => this.node(number).stepDown(),
      onLeaderElected: () => this.#consensus.sessions.renewAll(),
      onChanged: () => this.#onQuorumChanged(),
    })
    this.#consensus = new Consensus({
      ...options,
      quorum: this.#quorum,
      onCommitted: () => this.#onCommitted(),
    })
    this.#containerManager = new ContainerManager({
      clock,
      consensus: this.#consensus,
      everyMs: containerCheckMs,
      canAgree: () => this.#quorum.canAgree,
    })
    this.nodes = Array.from(
      { length: options.nodes },
      (_, i) =>
        new FakeNode(i + 1, {
          options,
          consensus: this.#consensus,
          quorum: this.#quorum,
          script: this.#script,
          log: this.log,
          nextConnection: () => ++this.#accepted,
        }),
    )
  }

  /** Starts all nodes. */
  async start(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.open()))
    this.#quorum.begin()
  }

  /** The addresses of all nodes, such as `127.0.0.1:40001,127.0.0.1:40002`. */
  get connectString(): string {
    return this.endpoints.map(formatEndpoint).join(',')
  }

  get endpoints(): readonly Endpoint[] {
    return this.nodes.map((node) => node.endpoint)
  }

  /** The leader; undefined while there is none. */
  get leader(): FakeNode | undefined {
    return this.#quorum.leader === undefined ? undefined : this.node(this.#quorum.leader)
  }

  /** How many connections were accepted since the start. */
  get accepted(): number {
    return this.#accepted
  }

  /** How many connections are open. */
  get connections(): number {
    return this.nodes.reduce((sum, node) => sum + node.connections.length, 0)
  }

  /** A node by its number, from 1. */
  node(number: number): FakeNode {
    return nodeByNumber(this.nodes, number)
  }

  /** The node at an address; throws `config-invalid` when there is none. */
  nodeAt(endpoint: Endpoint): FakeNode {
    const node = this.nodes.find((each) => sameEndpoint(each.endpoint, endpoint))
    if (node !== undefined) return node
    throw new HaError('config-invalid', `there is no node at ${formatEndpoint(endpoint)}`)
  }

  /** The node that has a connection of this session; undefined when none has. */
  nodeOf(session: bigint): FakeNode | undefined {
    return this.nodes.find((node) => node.connections.some((line) => line.session === session))
  }

  /** Connects to a node without a port: the client's end. Rejects with ECONNREFUSED, and with the signal's reason. */
  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<Duplex> {
    return this.nodeAt(endpoint).dial(signal)
  }

  /** Adds rules; the returned function removes them. */
  script(...rules: readonly Rule[]): () => void {
    return this.#script.add(rules)
  }

  /** Releases the requests that a rule holds under this name. */
  release(name: string): void {
    this.#script.release(name)
  }

  /** All committed nodes of the tree by their paths, sorted. */
  tree(): ReadonlyMap<string, ZnodeSnapshot> {
    return new Map(
      this.#consensus.tree.entries().map(([path, node]) => {
        return [path, { data: node.data, acl: node.acl, stat: statOf(node) }]
      }),
    )
  }

  /** The open sessions, in the order in which they began. */
  sessions(): readonly Readonly<Session>[] {
    return this.#consensus.sessions.all()
  }

  /** The paths of the ephemeral nodes of each session, by its id. */
  owners(): ReadonlyMap<bigint, readonly string[]> {
    const { tree } = this.#consensus
    return new Map(tree.owners().map((session) => [session, tree.ownedBy(session)]))
  }

  /** All committed transactions in order, also rejected ones, which changed nothing. */
  history(): readonly Txn[] {
    return this.#consensus.log
  }

  /** Expires a session now. */
  expire(session: bigint): void {
    if (this.#consensus.sessions.find(session) !== undefined) this.#consensus.endSession(session)
  }

  /** Closes all nodes: no socket, no timer and no port is left. */
  async close(): Promise<void> {
    this.#quorum.end()
    this.#containerManager.end()
    this.#consensus.sessions.watch(false)
    await Promise.all(this.nodes.map((node) => node.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // A leader that continues after a freeze first expires sessions, and then receives late reports of the followers.
  #onQuorumChanged(): void {
    this.#consensus.sessions.watch(this.#quorum.canAgree)
    for (const node of this.nodes) node.follow()
  }

  #onCommitted(): void {
    for (const node of this.nodes) node.follow()
    this.#containerManager.wake()
  }
}

/** What a {@link ContainerManager} needs from its ensemble. */
interface ContainerManagerDeps {
  readonly clock: Clock
  readonly consensus: Consensus
  readonly everyMs: number
  /** Whether the quorum can commit now. */
  readonly canAgree: () => boolean
}

/** Removes empty containers that had a child, and nodes whose TTL is over. */
class ContainerManager {
  readonly #deps: ContainerManagerDeps
  #cancel: (() => void) | undefined

  constructor(deps: ContainerManagerDeps) {
    this.#deps = deps
  }

  /** Schedules the next check when there is a node that may have to be removed. */
  wake(): void {
    const { clock, consensus, everyMs } = this.#deps
    if (this.#cancel !== undefined || consensus.tree.removable().length === 0) return
    this.#cancel = clock.after(everyMs, () => {
      this.#cancel = undefined
      this.#sweep()
      this.wake()
    })
  }

  end(): void {
    this.#cancel?.()
  }

  #sweep(): void {
    const { consensus, clock, canAgree } = this.#deps
    if (!canAgree()) return
    const { tree } = consensus
    for (const path of tree.removable()) {
      const node = tree.find(path)
      if (node !== undefined && isExpired(node, consensus.wallTimeMs(clock.now())))
        consensus.removeUnused(path)
    }
  }
}

// A container that never had a child is kept: its creator is about to use it.
function isExpired(node: Znode, nowMs: number): boolean {
  if (node.childCount > 0) return false
  if (node.owner === containerOwner) return node.childSequence > 0
  const ttlMs = ttlOf(node)
  return ttlMs !== undefined && nowMs - node.mtimeMs > ttlMs
}
