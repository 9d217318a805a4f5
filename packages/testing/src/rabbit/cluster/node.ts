import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { connectionException } from '../broker/exceptions.ts'
import type { Session } from '../session/session.ts'
import { BrokerConnection, type BrokerConnectionDeps } from './connection.ts'

/** How a node is. */
export type NodeState = State['kind']

/** What a node needs from its cluster. */
export interface NodeDeps extends Omit<BrokerConnectionDeps, 'node' | 'connection' | 'onClosed'> {
  readonly downAfterMs: number
  /** Gives a new connection its number. */
  readonly nextConnection: () => number
  readonly onOpened: (connection: number, node: number, session: Session) => void
  readonly onClosed: (connection: number) => void
  /** The node has gone down. */
  readonly onDown: () => void
}

type State =
  | { readonly kind: 'down' }
  | { readonly kind: 'running'; readonly server: Server }
  | {
      readonly kind: 'frozen'
      readonly server: Server
      readonly cancelGiveUp: () => void
      /** Whether the others take it for dead. */
      readonly isGivenUp: boolean
    }

// How long a node that stops waits for its clients to say that they know.
const stopGraceMs = 1_000

/** One node of a {@link FakeCluster}: a listening socket on 127.0.0.1 that keeps its port for life. */
export class FakeNode {
  /** Its number, from 1. */
  readonly number: number
  readonly #deps: NodeDeps
  readonly #lines = new Set<BrokerConnection>()
  #port = 0
  #state: State = { kind: 'down' }

  constructor(number: number, deps: NodeDeps) {
    this.number = number
    this.#deps = deps
  }

  /** How it is now. */
  get state(): NodeState {
    return this.#state.kind
  }

  /** Its port, the same for life. */
  get port(): number {
    return this.#port
  }

  /** Its address, such as `127.0.0.1:40001`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  /** Its address as a URL without a user, such as `amqp://127.0.0.1:40001`. */
  get url(): string {
    return `amqp://${this.address}`
  }

  /** Comes up on its old port. Does nothing when it is up. */
  async start(): Promise<void> {
    if (this.#state.kind !== 'down') return
    const server = createServer((socket) => this.#accept(socket))
    this.#state = { kind: 'running', server }
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address !== null && typeof address === 'object') this.#port = address.port
  }

  /** Dies as a killed process does: every connection ends with an RST, and new ones are refused. */
  async kill(): Promise<void> {
    await this.#goDown(() => {
      for (const line of this.#lines) line.reset()
    })
  }

  /** Stops in good order: tells its clients with a 320, waits for them a little, and refuses new connections. */
  async stop(): Promise<void> {
    this.thaw()
    const stopping = connectionException(
      'CONNECTION_FORCED',
      "broker forced connection closure with reason 'shutdown'",
    )
    const lines = [...this.#lines]
    const cancel = this.#deps.clock.after(stopGraceMs, () => {
      for (const line of lines) line.reset()
    })
    await this.#goDown(() => {
      for (const line of lines) line.session.closeWith(stopping, undefined)
    })
    cancel()
  }

  /** Falls silent as a stopped process does: connections open and stay open, nothing is read and nothing is said. */
  freeze(): void {
    if (this.#state.kind !== 'running') return
    for (const line of this.#lines) line.freeze()
    const cancelGiveUp = this.#deps.clock.after(this.#deps.downAfterMs, () => this.#giveUp())
    this.#state = { ...this.#state, kind: 'frozen', cancelGiveUp, isGivenUp: false }
  }

  /** Goes on where it stopped; when the others have taken it for dead meanwhile, its connections end with an RST. */
  thaw(): void {
    const state = this.#state
    if (state.kind !== 'frozen') return
    state.cancelGiveUp()
    this.#state = { kind: 'running', server: state.server }
    for (const line of this.#lines) {
      if (state.isGivenUp) line.reset()
      else line.thaw()
    }
  }

  #accept(socket: Socket): void {
    const connection = this.#deps.nextConnection()
    const line: BrokerConnection = new BrokerConnection(socket, {
      ...this.#deps,
      node: this.number,
      connection,
      onClosed: () => {
        this.#lines.delete(line)
        this.#deps.onClosed(connection)
      },
    })
    this.#lines.add(line)
    this.#deps.onOpened(connection, this.number, line.session)
    if (this.#state.kind === 'frozen') line.freeze()
  }

  #giveUp(): void {
    if (this.#state.kind !== 'frozen') return
    this.#state = { ...this.#state, isGivenUp: true }
    for (const line of this.#lines) line.session.connectionLost()
  }

  // Nobody new comes in, those who are here leave, and what they held is back in its queues when the node is down.
  async #goDown(leave: () => void): Promise<void> {
    const state = this.#state
    if (state.kind === 'down') return
    if (state.kind === 'frozen') state.cancelGiveUp()
    this.#state = { kind: 'down' }
    const closed = once(state.server, 'close')
    state.server.close()
    leave()
    this.#deps.onDown()
    await closed
  }
}
