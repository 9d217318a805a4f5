import type { Duplex } from 'node:stream'
import type { Clock, Endpoint } from '@ha/core'
import { type Deferred, deferred } from '@ha/core/driver'
import { Acceptor } from '../../server/acceptor.ts'
import type { NodeState } from '../../server/nodes.ts'
import type { ServerSocket } from '../../server/sockets.ts'
import type { KeeperServer } from '../protocol/server.ts'
import type { Txn } from '../tree/data-tree.ts'
import type { WatchKind } from '../tree/watches.ts'
import { KeeperConnection } from './connection.ts'
import type { EnsembleNodeDeps } from './node-deps.ts'
import { Peers } from './peers.ts'
import { Replica } from './replica.ts'
import { createServer } from './server.ts'

/** The role of a node in the ensemble. */
export type Role = 'leader' | 'follower' | 'looking'

/** What a node assumes of itself: a stopped process learns only afterwards that the others have excluded it. */
type ServingState = 'looking' | 'serving' | 'given-up'

// The default port of ZooKeeper's clients; in memory the next nodes have the next ports.
const firstPort = 2_181

/** One node of a fake ensemble. It keeps its address for life. */
export class FakeNode {
  /** Its number, from 1. */
  readonly number: number
  readonly #deps: EnsembleNodeDeps
  readonly #process: Process
  readonly #peers: Peers
  readonly #replica: Replica
  readonly #acceptor: Acceptor<KeeperConnection>
  readonly #server: KeeperServer
  #serving: ServingState = 'looking'

  constructor(number: number, deps: EnsembleNodeDeps) {
    this.number = number
    this.#deps = deps
    const { consensus, options } = deps
    this.#process = new Process(options.clock, () => this.#resumed())
    this.#peers = new Peers({ ...deps, number, isResponsive: () => this.#process.isResponsive })
    this.#replica = new Replica({
      clock: options.clock,
      log: () => consensus.log,
      isFollowing: () => this.#peers.isFollowing,
      onApplied: (txn) => this.#applied(txn),
    })
    this.#acceptor = new Acceptor({
      memoryPort: firstPort + number - 1,
      listens: options.listens,
      newConnection: (socket, onClosed) => this.#newConnection(socket, onClosed),
    })
    this.#server = createServer({
      ...deps,
      number,
      replica: this.#replica,
      isServing: () => this.#serving !== 'looking',
      touch: (session) => this.#peers.touch(session),
      connections: () => this.#acceptor.connections,
    })
  }

  /** The current state of its process. */
  get state(): NodeState {
    return this.#process.kind
  }

  /** Its current role. */
  get role(): Role {
    if (this.#serving === 'looking') return 'looking'
    return this.#deps.quorum.leader === this.number ? 'leader' : 'follower'
  }

  get endpoint(): Endpoint {
    return this.#acceptor.endpoint
  }

  /** The connections that are open. */
  get connections(): readonly Pick<
    KeeperConnection,
    'connection' | 'session' | 'inject' | 'reset' | 'drop'
  >[] {
    return this.#acceptor.connections
  }

  /** The last transaction that it has applied. */
  get lastZxid(): bigint {
    return this.#replica.tree.lastZxid
  }

  /** How much later than the others it applies transactions; `Infinity`: not before this changes. Default 0. */
  get lagMs(): number {
    return this.#replica.lagMs
  }

  set lagMs(lagMs: number) {
    this.#replica.lagMs = lagMs
  }

  /** How many watches of a kind its clients have set; a persistent watch counts in both. */
  watchCount(kind: WatchKind): number {
    return this.#replica.watches.count(kind)
  }

  /** Starts the node on its old port with its old state. Does nothing when it is running. */
  async start(): Promise<void> {
    if (this.#process.kind !== 'down') return
    await this.open()
    this.#peers.announce()
  }

  /** Starts the node without joining the others yet. */
  async open(): Promise<void> {
    this.#process.start()
    await this.#acceptor.open()
  }

  /** Kills the process: every connection is reset, and new ones are refused. */
  kill(): Promise<void> {
    return this.#goDown((connection) => connection.reset())
  }

  /** Shuts down: every connection ends with a FIN, and new ones are refused. */
  stop(): Promise<void> {
    this.thaw()
    return this.#goDown((connection) => connection.drop())
  }

  /** Stops the process as SIGSTOP does: TCP connects, nothing is read and nothing is sent. */
  freeze(): void {
    if (this.#process.kind !== 'running') return
    this.#process.freeze()
    for (const connection of this.#acceptor.connections) connection.freeze()
    this.#peers.goSilent()
  }

  /**
   * Continues where the process stopped: at once with the requests of its clients, 25 ms later with messages of the
   * other nodes.
   */
  thaw(): void {
    if (this.#process.kind !== 'frozen') return
    this.#process.thaw()
    for (const connection of this.#acceptor.connections) connection.thaw()
    // A leader that was not excluded leads again at once.
    if (this.#deps.quorum.leader === this.number) this.#peers.announce()
  }

  /** The network between the node and its clients carries nothing; sockets stay open. */
  cut(): void {
    this.#acceptor.partition()
  }

  /** The network carries again after {@link cut}, first what was sent meanwhile. */
  heal(): void {
    this.#acceptor.heal()
  }

  /** Refuses new connections; open ones stay. */
  refuse(): Promise<void> {
    return this.#acceptor.refuse()
  }

  /** Accepts again after {@link refuse}. */
  admit(): Promise<void> {
    return this.#acceptor.admit()
  }

  /**
   * Is cut off from the other nodes, not from its clients: their pings and reads are answered, writes and syncs are
   * not, and the leader does not count them as alive. After `detectMs` the node closes its connections and accepts none.
   */
  isolate(): void {
    if (this.#process.kind !== 'down') this.#peers.isolate()
  }

  /** Reaches the other nodes again after {@link isolate}. */
  recover(): void {
    this.#peers.recover()
  }

  /** Connects without a port: the client's end. Rejects with ECONNREFUSED, and with the signal's reason. */
  dial(signal: AbortSignal): Promise<Duplex> {
    return this.#acceptor.dial(signal)
  }

  /** There may be new transactions, or the leader may be reachable again. */
  follow(): void {
    this.#peers.onLeaderReachable()
    this.#replica.follow()
  }

  /** It belongs to the quorum now. */
  serve(): void {
    this.#replica.catchUp()
    if (this.#serving === 'looking') this.#serving = 'serving'
  }

  /** It does not belong to the quorum any more: it closes its connections as soon as it notices. */
  stepDown(): void {
    this.#serving = 'given-up'
    this.#peers.stepDown()
    if (this.#process.isResponsive) this.#leaveClients()
  }

  /** Closes the node without notifying clients or nodes. */
  async close(): Promise<void> {
    this.#process.end()
    this.#replica.end()
    this.#peers.stepDown()
    for (const connection of this.#acceptor.connections) connection.destroy()
    await this.#acceptor.close()
  }

  #resumed(): void {
    if (this.#serving === 'given-up') this.#leaveClients()
    this.#peers.announce()
  }

  #leaveClients(): void {
    for (const connection of this.#acceptor.connections) connection.drop()
    this.#serving = this.#deps.quorum.isMember(this.number) ? 'serving' : 'looking'
  }

  #applied({ ended }: Txn): void {
    if (ended === undefined) return
    for (const connection of this.#acceptor.connections) if (connection.session === ended) connection.leave()
  }

  #newConnection(socket: ServerSocket, onClosed: () => void): KeeperConnection {
    const connection = new KeeperConnection(socket, {
      origin: { node: this.number, connection: this.#deps.nextConnection() },
      ensemble: this.#deps,
      server: this.#server,
      awake: () => this.#process.awake(),
      onClosed,
    })
    if (this.#process.kind === 'frozen') connection.freeze()
    void this.#process.awake().then(() => connection.run())
    return connection
  }

  // Refuses new connections and ends the open ones.
  async #goDown(leave: (connection: KeeperConnection) => void): Promise<void> {
    if (this.#process.kind === 'down') return
    this.#replica.end()
    const closed = this.#acceptor.close()
    for (const connection of this.#acceptor.connections) leave(connection)
    this.#process.end()
    this.#peers.leave()
    this.#serving = 'looking'
    await closed
  }
}

type State =
  | { readonly kind: 'down' }
  | { readonly kind: 'running' }
  /** It runs, and has not received yet what the other nodes sent while it was stopped. */
  | { readonly kind: 'waking'; readonly cancel: () => void }
  | { readonly kind: 'frozen'; readonly thawed: Deferred<void> }

// After a stop, a node handles the requests of its clients first and messages of the other nodes so much later.
const wakingMs = 25

/** The process of a node. */
class Process {
  readonly #clock: Clock
  readonly #onWoken: () => void
  #state: State = { kind: 'down' }

  /** `onWoken` is called when it receives messages of the other nodes again after a stop. */
  constructor(clock: Clock, onWoken: () => void) {
    this.#clock = clock
    this.#onWoken = onWoken
  }

  get kind(): NodeState {
    return this.#state.kind === 'waking' ? 'running' : this.#state.kind
  }

  /** Whether it receives messages of the other nodes. */
  get isResponsive(): boolean {
    return this.#state.kind === 'running'
  }

  start(): void {
    this.#go({ kind: 'running' })
  }

  freeze(): void {
    this.#go({ kind: 'frozen', thawed: deferred() })
  }

  thaw(): void {
    const cancel = this.#clock.after(wakingMs, () => {
      this.#state = { kind: 'running' }
      this.#onWoken()
    })
    this.#go({ kind: 'waking', cancel })
  }

  end(): void {
    this.#go({ kind: 'down' })
  }

  /** Resolves when the process runs: at once, or after {@link thaw}. */
  async awake(): Promise<void> {
    while (this.#state.kind === 'frozen') await this.#state.thawed.promise
  }

  #go(next: State): void {
    const before = this.#state
    this.#state = next
    if (before.kind === 'waking') before.cancel()
    if (before.kind === 'frozen') before.thawed.resolve()
  }
}
