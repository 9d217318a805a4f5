import { formatEndpoint } from '@ha/core'
import { Acceptor } from '../../server/acceptor.ts'
import type { NodeState } from '../../server/nodes.ts'
import type { ConnectionOrigin } from '../../server/rules.ts'
import type { ServerSocket } from '../../server/sockets.ts'
import { connectionException } from '../broker/exceptions.ts'
import type { BrokerSession } from '../session/session.ts'
import { BrokerConnection, type BrokerConnectionDeps } from './connection.ts'

/** What a node needs from its cluster. */
export interface BrokerNodeDeps extends Pick<BrokerConnectionDeps, 'server' | 'script' | 'log'> {
  /** How long a frozen node is considered alive by the others. */
  readonly downAfterMs: number
  readonly connections: ConnectionRegistry
  /** The node is down. */
  readonly onDown: () => void
}

/** The connections of a cluster, which counts them over all nodes. */
export interface ConnectionRegistry {
  /** Gives a new connection its number. */
  readonly nextNumber: () => number
  readonly opened: (origin: ConnectionOrigin, session: BrokerSession) => void
  readonly closed: (connection: number) => void
}

type State =
  | { readonly kind: 'down' }
  | { readonly kind: 'running' }
  | {
      readonly kind: 'frozen'
      readonly cancelGiveUp: () => void
      /** Whether the other nodes consider it dead. */
      readonly isGivenUp: boolean
    }

// The default port of AMQP.
const memoryPort = 5_672

// How long a node that stops waits for its clients to acknowledge the close.
const stopGraceMs = 1_000

/** One node of a {@link FakeCluster}: a listening socket on 127.0.0.1 that keeps its port for life. */
export class FakeNode {
  /** Its number, from 1. */
  readonly number: number
  readonly #deps: BrokerNodeDeps
  readonly #acceptor: Acceptor<BrokerConnection>
  #state: State = { kind: 'down' }

  constructor(number: number, deps: BrokerNodeDeps) {
    this.number = number
    this.#deps = deps
    this.#acceptor = new Acceptor({
      memoryPort,
      listens: true,
      newConnection: (socket, onClosed) => this.#newConnection(socket, onClosed),
    })
  }

  /** Its current state. */
  get state(): NodeState {
    return this.#state.kind
  }

  /** Its port, the same for life. */
  get port(): number {
    return this.#acceptor.endpoint.port
  }

  /** Its address, such as `127.0.0.1:40001`. */
  get address(): string {
    return formatEndpoint(this.#acceptor.endpoint)
  }

  /** Its address as a URL without a user, such as `amqp://127.0.0.1:40001`. */
  get url(): string {
    return `amqp://${this.address}`
  }

  /** Starts the node on its old port. Does nothing when it is running. */
  async start(): Promise<void> {
    if (this.#state.kind !== 'down') return
    this.#state = { kind: 'running' }
    await this.#acceptor.open()
  }

  /** Kills the process: every connection is reset, and new ones are refused. */
  async kill(): Promise<void> {
    await this.#goDown(() => {
      for (const connection of this.#acceptor.connections) connection.reset()
    })
  }

  /** Shuts down: closes connections with a 320, waits a second for the clients, and refuses new connections. */
  async stop(): Promise<void> {
    this.thaw()
    const stopping = connectionException(
      'CONNECTION_FORCED',
      "broker forced connection closure with reason 'shutdown'",
    )
    const { connections } = this.#acceptor
    const cancel = this.#deps.server.clock.after(stopGraceMs, () => {
      for (const connection of connections) connection.reset()
    })
    await this.#goDown(() => {
      for (const connection of connections) connection.session.closeWith(stopping, undefined)
    })
    cancel()
  }

  /** Stops the process as SIGSTOP does: TCP connects, nothing is read and nothing is sent. */
  freeze(): void {
    if (this.#state.kind !== 'running') return
    for (const connection of this.#acceptor.connections) connection.freeze()
    const cancelGiveUp = this.#deps.server.clock.after(this.#deps.downAfterMs, () => this.#giveUp())
    this.#state = { kind: 'frozen', cancelGiveUp, isGivenUp: false }
  }

  /**
   * Continues where the process stopped; its connections are reset when the other nodes have considered it dead
   * meanwhile.
   */
  thaw(): void {
    const state = this.#state
    if (state.kind !== 'frozen') return
    state.cancelGiveUp()
    this.#state = { kind: 'running' }
    for (const connection of this.#acceptor.connections) {
      if (state.isGivenUp) connection.reset()
      else connection.thaw()
    }
  }

  #newConnection(socket: ServerSocket, onClosed: () => void): BrokerConnection {
    const { server, script, log, connections } = this.#deps
    const origin = { node: this.number, connection: connections.nextNumber() }
    const connection = new BrokerConnection(socket, {
      origin,
      server,
      script,
      log,
      onClosed: () => {
        onClosed()
        connections.closed(origin.connection)
      },
    })
    connections.opened(origin, connection.session)
    if (this.#state.kind === 'frozen') connection.freeze()
    return connection
  }

  #giveUp(): void {
    if (this.#state.kind !== 'frozen') return
    this.#state = { ...this.#state, isGivenUp: true }
    for (const connection of this.#acceptor.connections) connection.session.connectionLost()
  }

  // Refuses new connections, ends the open ones, and requeues what they held before the node counts as down.
  async #goDown(leave: () => void): Promise<void> {
    const state = this.#state
    if (state.kind === 'down') return
    if (state.kind === 'frozen') state.cancelGiveUp()
    this.#state = { kind: 'down' }
    const closed = this.#acceptor.drain()
    leave()
    this.#deps.onDown()
    await closed
  }
}
