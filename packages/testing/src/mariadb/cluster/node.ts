import { Duplex } from 'node:stream'
import type { Clock, Endpoint } from '@ha/core'
import { type Deferred, deferred } from '@ha/core/driver'
import { Acceptor } from '../../server/acceptor.ts'
import { connectionRefused, type ServerSocket } from '../../server/sockets.ts'
import type { CommandLog } from '../command-log.ts'
import { ServerConnection, type Users } from '../connection/connection.ts'
import type { Peer, ReplicationGroup, Values } from '../engine/membership.ts'
import { Server } from '../engine/server.ts'
import type { Store } from '../engine/store.ts'
import type { CommandScript } from '../rules.ts'

/** The state of a node. */
export type ServerState = State['kind']

/** What a node needs from its cluster. */
export interface NodeDeps {
  readonly clock: Clock
  readonly store: Store
  readonly group: ReplicationGroup
  readonly users: Users
  readonly script: CommandScript
  readonly log: CommandLog
  /** Whether it opens a port: without one it can only be dialed in memory. */
  readonly listens: boolean
  readonly variables: Values
  /** Gives a new connection its number. */
  readonly nextConnection: () => number
}

type State =
  | { readonly kind: 'down' }
  | { readonly kind: 'running'; readonly server: Server }
  | { readonly kind: 'paused'; readonly server: Server; readonly resumed: Deferred<void> }

// How long a node that stops waits for its clients to leave.
const stopGraceMs = 1_000
const firstPort = 3_306

/** One node of a {@link FakeCluster}. It keeps its address for life. */
export class FakeNode {
  /** Its number, from 1. */
  readonly number: number
  readonly host = '127.0.0.1'
  /** The replication lag of a replica behind the primary. */
  lagMs = 0
  readonly #deps: NodeDeps
  readonly #peer: Peer
  readonly #acceptor: Acceptor<ServerConnection>
  #accepted = 0
  #values: Values = {}
  #isIsolated = false
  #state: State = { kind: 'down' }

  constructor(number: number, deps: NodeDeps) {
    this.number = number
    this.#deps = deps
    this.#acceptor = new Acceptor({
      memoryPort: firstPort + number - 1,
      listens: deps.listens,
      newConnection: (socket, onClosed) => this.#newConnection(socket, onClosed),
    })
    const serverNow = (): Server | undefined => this.#server
    this.#peer = {
      number,
      get server() {
        return serverNow()
      },
    }
  }

  /** Its state. */
  get state(): ServerState {
    return this.#state.kind
  }

  /** Its port, the same for life. */
  get port(): number {
    return this.endpoint.port
  }

  /** Its address, such as `127.0.0.1:40001`. */
  get address(): string {
    return `${this.host}:${this.port}`
  }

  get endpoint(): Endpoint {
    return this.#acceptor.endpoint
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#acceptor.connections.length
  }

  /** The number of the last commit that its readers see. */
  get applied(): number {
    return this.#server?.applier.applied ?? 0
  }

  /** Starts on its old port. Does nothing when it is up. */
  async start(): Promise<void> {
    if (this.#state.kind !== 'down') return
    await this.#acceptor.open()
    this.#accepted = 0
    this.#state = { kind: 'running', server: this.#newServer() }
    this.#deps.group.nodeStarted(this.#peer)
  }

  /** Ends like a killed process: every connection gets an RST, and new ones are refused. */
  async kill(): Promise<void> {
    if (this.#state.kind === 'down') return
    await this.#goDown(() => {
      this.#deps.group.nodeLost(this.#peer)
      this.#forEachConnection((each) => each.reset())
    })
  }

  /** Stops gracefully: leaves the group, ends every connection with a FIN, and refuses new ones. */
  async stop(): Promise<void> {
    this.resume()
    if (this.#state.kind === 'down') return
    const cancel = this.#deps.clock.after(stopGraceMs, () => this.#forEachConnection((each) => each.reset()))
    await this.#goDown(() => {
      this.#deps.group.nodeLeft(this.#peer)
      this.#forEachConnection((each) => each.drop())
    })
    cancel()
  }

  /** Pauses like a process on SIGSTOP: TCP connects, and the node reads and writes nothing. */
  pause(): void {
    if (this.#state.kind !== 'running') return
    this.#state = { ...this.#state, kind: 'paused', resumed: deferred() }
    this.#forEachConnection((each) => each.freeze())
    this.#deps.group.nodeLost(this.#peer)
  }

  /** Resumes, and handles what has arrived meanwhile. */
  resume(): void {
    const state = this.#state
    if (state.kind !== 'paused') return
    this.#state = { kind: 'running', server: state.server }
    if (!this.#isIsolated) this.#deps.group.nodeReturned(this.#peer)
    this.#forEachConnection((each) => each.thaw())
    state.resumed.resolve()
  }

  /** Cuts the node off from the other nodes, not from its clients. */
  isolate(): void {
    if (this.#isIsolated || this.#state.kind === 'down') return
    this.#isIsolated = true
    this.#deps.group.nodeLost(this.#peer)
  }

  /** Connects the node with the others again after {@link isolate}. */
  recover(): void {
    if (!this.#isIsolated) return
    this.#isIsolated = false
    if (this.#state.kind === 'running') this.#deps.group.nodeReturned(this.#peer)
  }

  /** Replaces values of `SHOW STATUS`, `SHOW VARIABLES` and `@@`, by which the node acts; names in lower case. */
  set(values: Values): void {
    this.#values = { ...this.#values, ...values }
    this.#server?.override(values)
  }

  /** Stops applying commits: its readers see nothing new. */
  stopApplier(): void {
    this.#server?.applier.stop()
  }

  startApplier(): void {
    this.#server?.applier.start()
  }

  /** Connects without a port: the client's end of a connection, which fails with ECONNREFUSED when the node is down. */
  dial(): Duplex {
    if (this.#state.kind === 'down') return refusedSocket(this.address)
    return this.#acceptor.connect()
  }

  get #server(): Server | undefined {
    return this.#state.kind === 'down' ? undefined : this.#state.server
  }

  #newServer(): Server {
    const { clock, store, group, variables } = this.#deps
    const own = { port: this.port, server_id: this.number, wsrep_node_name: `node${this.number}` }
    const membership = group.membershipOf(this.#peer)
    const server = new Server({ clock, store, membership, variables: { ...own, ...variables } })
    server.override(this.#values)
    return server
  }

  // A client may arrive between the opening of the port and the start of the server: it is reset.
  #newConnection(socket: ServerSocket, onClosed: () => void): ServerConnection | undefined {
    const state = this.#state
    if (state.kind === 'down') return undefined
    const { clock, users, script, log, nextConnection } = this.#deps
    const connection = nextConnection()
    const connectionId = ++this.#accepted
    const opened = new ServerConnection(socket, {
      node: this.number,
      connection,
      connectionId,
      clock,
      server: state.server,
      users,
      script,
      log,
      awake: () => this.#awake(),
      onClosed,
    })
    if (state.kind === 'paused') opened.freeze()
    void this.#awake().then(() => opened.run())
    return opened
  }

  async #awake(): Promise<void> {
    while (this.#state.kind === 'paused') await this.#state.resumed.promise
  }

  #forEachConnection(act: (each: ServerConnection) => void): void {
    for (const each of this.#acceptor.connections) act(each)
  }

  // Refuses new connections and ends the open ones.
  async #goDown(leave: () => void): Promise<void> {
    const state = this.#state
    if (state.kind === 'down') return
    this.#state = { kind: 'down' }
    this.#isIsolated = false
    if (state.kind === 'paused') state.resumed.resolve()
    const closed = this.#acceptor.drain()
    leave()
    await closed
  }
}

// The client's end of a connection that is refused.
function refusedSocket(address: string): Duplex {
  const stream = new Duplex({ read: () => undefined })
  const error = connectionRefused(address)
  setImmediate(() => stream.destroy(error))
  return stream
}
