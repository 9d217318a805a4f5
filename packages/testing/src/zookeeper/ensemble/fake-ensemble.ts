import type { Duplex } from 'node:stream'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { sameEndpoint } from '@ha/core/driver'
import { nodeByNumber } from '../../server/node-by-number.ts'
import { Script } from '../../server/script.ts'
import { type RequestScript, requestGrammar } from '../script/plan.ts'
import type { Rule } from '../script/rule.ts'
import type { Txn } from '../tree/tree.ts'
import { statOf } from '../tree/znode.ts'
import type { AclEntry } from '../wire/acl.ts'
import type { SeenStat } from '../wire/stat.ts'
import { Agreement } from './agreement.ts'
import { FakeNode } from './fake-node.ts'
import type { FakeEnsembleOptions } from './options.ts'
import { Quorum } from './quorum.ts'
import { type RequestLog, requestLog } from './request-log.ts'
import type { Session } from './sessions.ts'
import { Sweeper } from './sweeper.ts'

/** A node of the tree as a test looks at it. */
export interface SeenNode {
  readonly data: Buffer | null
  readonly acl: readonly AclEntry[]
  readonly stat: SeenStat
}

/** Fake ZooKeeper servers that agree upon one tree, and misbehave when they are told to. */
export class FakeEnsemble {
  /** What clients did, on all nodes. */
  readonly log: RequestLog
  readonly nodes: readonly FakeNode[]
  readonly #quorum: Quorum
  readonly #agreement: Agreement
  readonly #sweeper: Sweeper
  readonly #script: RequestScript = new Script(requestGrammar)
  #accepted = 0

  constructor(options: Required<FakeEnsembleOptions>) {
    const { clock, containerCheckMs } = options
    this.log = requestLog(clock)
    this.#quorum = new Quorum({
      ...options,
      lastZxidOf: (number) => this.node(number).lastZxid,
      serve: (number) => this.node(number).serve(),
      standDown: (number) => this.node(number).standDown(),
      onLed: () => this.#agreement.sessions.renewAll(),
      onChanged: () => this.#onQuorumChanged(),
    })
    this.#agreement = new Agreement({
      ...options,
      quorum: this.#quorum,
      onCommitted: () => this.#onCommitted(),
    })
    this.#sweeper = new Sweeper({
      clock,
      agreement: this.#agreement,
      everyMs: containerCheckMs,
      canAgree: () => this.#quorum.canAgree,
    })
    this.nodes = Array.from(
      { length: options.nodes },
      (_, i) =>
        new FakeNode(i + 1, {
          clock,
          options,
          agreement: this.#agreement,
          quorum: this.#quorum,
          script: this.#script,
          log: this.log,
          nextConnection: () => ++this.#accepted,
        }),
    )
  }

  /** Brings all nodes up. */
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

  /** The node that leads; undefined while none does. */
  get leader(): FakeNode | undefined {
    return this.#quorum.leader === undefined ? undefined : this.node(this.#quorum.leader)
  }

  /** How many connections were accepted since the beginning. */
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

  /** Lets go on what a rule holds under this name. */
  release(name: string): void {
    this.#script.release(name)
  }

  /** All nodes of the tree that are agreed upon, by their paths, sorted. */
  tree(): ReadonlyMap<string, SeenNode> {
    return new Map(
      this.#agreement.tree.entries().map(([path, node]) => {
        return [path, { data: node.data, acl: node.acl, stat: statOf(node) }]
      }),
    )
  }

  /** The sessions that are not over, in the order in which they began. */
  sessions(): readonly Readonly<Session>[] {
    return this.#agreement.sessions.all()
  }

  /** The paths of the nodes that end with a session, by its id. */
  owners(): ReadonlyMap<bigint, readonly string[]> {
    const { tree } = this.#agreement
    return new Map(tree.owners().map((session) => [session, tree.ownedBy(session)]))
  }

  /** Everything that was agreed upon, in order: also what was refused, which changed nothing. */
  history(): readonly Txn[] {
    return this.#agreement.log
  }

  /** Ends a session now, as if its time were over. */
  expire(session: bigint): void {
    if (this.#agreement.sessions.find(session) !== undefined) this.#agreement.endSession(session)
  }

  /** Ends everything: no socket, no timer and no port is left. */
  async close(): Promise<void> {
    this.#quorum.end()
    this.#sweeper.end()
    this.#agreement.sessions.watch(false)
    await Promise.all(this.nodes.map((node) => node.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // A leader that goes on after a freeze looks first whose time is over, and then hears what the others owe it.
  #onQuorumChanged(): void {
    this.#agreement.sessions.watch(this.#quorum.canAgree)
    for (const node of this.nodes) node.follow()
  }

  #onCommitted(): void {
    for (const node of this.nodes) node.follow()
    this.#sweeper.wake()
  }
}
