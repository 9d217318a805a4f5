import { Duplex } from 'node:stream'
import type { Clock, Endpoint } from '@ha/core'
import { type Deferred, deferred } from '@ha/core/driver'
import {
  connectionRefused,
  ListeningPort,
  memorySocketPair,
  type ServerSocket,
} from '../../server/sockets.ts'
import type { CommandLog } from '../command-log.ts'
import type { Users } from '../connection/connection.ts'
import { ServerConnection } from '../connection/connection.ts'
import type { Peer, ReplicationGroup, Values } from '../engine/membership.ts'
import { Server } from '../engine/server.ts'
import type { Store } from '../engine/store.ts'
import type { CommandScript } from '../rules.ts'

/** How a node is. */
export type NodeState = State['kind']

/** What a node needs from its cluster. */
export interface NodeDeps {
  readonly clock: Clock
  readonly store: Store
  readonly bond: ReplicationGroup
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
  /** How much later than the primary a replica gets what is committed. */
  lagMs = 0
  readonly #ends: NodeDeps
  readonly #peer: Peer
  readonly #port: ListeningPort | undefined
  readonly #lines = new Set<ServerConnection>()
  #accepted = 0
  #values: Values = {}
  #isIsolated = false
  #state: State = { kind: 'down' }

  constructor(number: number, ends: NodeDeps) {
    this.number = number
    this.#ends = ends
    this.#port = ends.listens ? new ListeningPort(this.host, (socket) => this.#accept(socket)) : undefined
    const serverNow = (): Server | undefined => this.#server
    this.#peer = {
      number,
      get server() {
        return serverNow()
      },
    }
  }

  /** How it is now. */
  get state(): NodeState {
    return this.#state.kind
  }

  /** Its port, the same for life. */
  get port(): number {
    return this.#port?.port ?? firstPort + this.number - 1
  }

  /** Its address, such as `127.0.0.1:40001`. */
  get address(): string {
    return `${this.host}:${this.port}`
  }

  get endpoint(): Endpoint {
    return { host: this.host, port: this.port }
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#lines.size
  }

  /** How far its readers see: the number of a commit. */
  get applied(): number {
    return this.#server?.applier.applied ?? 0
  }

  /** Comes up on its old port. Does nothing when it is up. */
  async start(): Promise<void> {
    if (this.#state.kind !== 'down') return
    await this.#port?.open()
    this.#accepted = 0
    this.#state = { kind: 'running', server: this.#newServer() }
    this.#ends.bond.started(this.#peer)
  }

  /** Dies as a killed process does: every connection ends with an RST, and new ones are refused. */
  async kill(): Promise<void> {
    if (this.#state.kind === 'down') return
    await this.#goDown(() => {
      this.#ends.bond.lost(this.#peer)
      this.#forEachLine((line) => line.reset())
    })
  }

  /** Stops in good order: says so to the other nodes, ends every connection with a FIN, and refuses new ones. */
  async stop(): Promise<void> {
    this.resume()
    if (this.#state.kind === 'down') return
    const cancel = this.#ends.clock.after(stopGraceMs, () => this.#forEachLine((line) => line.reset()))
    await this.#goDown(() => {
      this.#ends.bond.left(this.#peer)
      this.#forEachLine((line) => line.drop())
    })
    cancel()
  }

  /** Stands still as a process does on SIGSTOP: TCP connects, nothing is read and nothing is said. */
  pause(): void {
    if (this.#state.kind !== 'running') return
    this.#state = { ...this.#state, kind: 'paused', resumed: deferred() }
    this.#forEachLine((line) => line.freeze())
    this.#ends.bond.lost(this.#peer)
  }

  /** Goes on where it stood, with all that has arrived meanwhile. */
  resume(): void {
    const state = this.#state
    if (state.kind !== 'paused') return
    this.#state = { kind: 'running', server: state.server }
    if (!this.#isIsolated) this.#ends.bond.returned(this.#peer)
    this.#forEachLine((line) => line.thaw())
    state.resumed.resolve()
  }

  /** Is cut off from the other nodes, not from its clients. */
  isolate(): void {
    if (this.#isIsolated || this.#state.kind === 'down') return
    this.#isIsolated = true
    this.#ends.bond.lost(this.#peer)
  }

  /** Hears the other nodes again after {@link isolate}. */
  recover(): void {
    if (!this.#isIsolated) return
    this.#isIsolated = false
    if (this.#state.kind === 'running') this.#ends.bond.returned(this.#peer)
  }

  /** Lets `SHOW STATUS`, `SHOW VARIABLES` and `@@` say something else, and the node act by it; names in lower case. */
  set(values: Values): void {
    this.#values = { ...this.#values, ...values }
    this.#server?.override(values)
  }

  /** Its readers see nothing new any more. */
  stopApplier(): void {
    this.#server?.applier.stop()
  }

  startApplier(): void {
    this.#server?.applier.start()
  }

  /** Connects without a port: the client's end of a connection, which fails with ECONNREFUSED when the node is down. */
  dial(): Duplex {
    if (this.#state.kind === 'down') return refusedSocket(this.address)
    const { client, server } = memorySocketPair()
    this.#accept(server)
    return client
  }

  get #server(): Server | undefined {
    return this.#state.kind === 'down' ? undefined : this.#state.server
  }

  #newServer(): Server {
    const { clock, store, bond, variables } = this.#ends
    const own = { port: this.port, server_id: this.number, wsrep_node_name: `node${this.number}` }
    const membership = bond.membershipOf(this.#peer)
    const server = new Server({ clock, store, membership, variables: { ...own, ...variables } })
    server.override(this.#values)
    return server
  }

  #accept(socket: ServerSocket): void {
    const state = this.#state
    if (state.kind === 'down') {
      socket.reset()
      return
    }
    const { clock, users, script, log, nextConnection } = this.#ends
    const connection = nextConnection()
    const connectionId = ++this.#accepted
    const onClosed = (): boolean => this.#lines.delete(line)
    const line: ServerConnection = new ServerConnection(socket, {
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
    this.#lines.add(line)
    if (state.kind === 'paused') line.freeze()
    void this.#awake().then(() => line.run())
  }

  async #awake(): Promise<void> {
    while (this.#state.kind === 'paused') await this.#state.resumed.promise
  }

  #forEachLine(act: (line: ServerConnection) => void): void {
    for (const line of [...this.#lines]) act(line)
  }

  // Nobody new comes in, and those who are here leave.
  async #goDown(leave: () => void): Promise<void> {
    const state = this.#state
    if (state.kind === 'down') return
    this.#state = { kind: 'down' }
    this.#isIsolated = false
    if (state.kind === 'paused') state.resumed.resolve()
    const closed = this.#port?.drain()
    leave()
    await closed
  }
}

/** The client's end of a connection that nobody accepts. */
function refusedSocket(address: string): Duplex {
  const stream = new Duplex({ read: () => undefined })
  const error = connectionRefused(address)
  setImmediate(() => stream.destroy(error))
  return stream
}
