import type { Duplex } from 'node:stream'
import { type Endpoint, formatEndpoint } from '@ha/core'
import { type Deferred, deferred, raceAbort } from '@ha/core/driver'
import { connectionRefused, ListeningPort, memorySocketPair, type ServerSocket } from './sockets.ts'

/** A client's connection, as far as an acceptor handles it. */
export interface AcceptedConnection {
  /** The network between client and server carries nothing until {@link heal}. */
  partition(): void
  heal(): void
}

/** What an acceptor needs from its node. */
export interface AcceptorDeps<C> {
  /** The port that the node claims to have when it does not listen. */
  readonly memoryPort: number
  /** Whether it opens a port; without one, clients connect in memory only. */
  readonly listens: boolean
  /** Makes the server's side of a connection and lets it run; undefined to reset the connection. */
  readonly newConnection: (socket: ServerSocket, onClosed: () => void) => C | undefined
}

const host = '127.0.0.1'

/** Accepts the clients of a node, and is the network between them and the node. It keeps its address for life. */
export class Acceptor<C extends AcceptedConnection> {
  readonly #deps: AcceptorDeps<C>
  readonly #port: ListeningPort | undefined
  readonly #connections = new Set<C>()
  #isOpen = false
  #isRefusing = false
  // Resolves when the network is whole again; undefined while it is whole.
  #partitioned: Deferred<void> | undefined

  constructor(deps: AcceptorDeps<C>) {
    this.#deps = deps
    this.#port = deps.listens ? new ListeningPort(host, (socket) => this.#accept(socket)) : undefined
  }

  get endpoint(): Endpoint {
    return { host, port: this.#port?.port ?? this.#deps.memoryPort }
  }

  /** The open connections, the oldest first. */
  get connections(): readonly C[] {
    return [...this.#connections]
  }

  async open(): Promise<void> {
    this.#isOpen = true
    if (!this.#isRefusing) await this.#port?.open()
  }

  /** Refuses new connections; resolves when the port is free. Open connections stay. */
  async close(): Promise<void> {
    this.#isOpen = false
    await this.#port?.close()
  }

  /** Refuses new connections; resolves when the last open one is closed. */
  async drain(): Promise<void> {
    this.#isOpen = false
    await this.#port?.drain()
  }

  /** Refuses new connections until {@link admit}, also while it is open. */
  async refuse(): Promise<void> {
    this.#isRefusing = true
    await this.#port?.close()
  }

  async admit(): Promise<void> {
    this.#isRefusing = false
    if (this.#isOpen) await this.#port?.open()
  }

  /** The network carries nothing, and neither side is notified: a client that connects waits. */
  partition(): void {
    this.#partitioned ??= deferred()
    for (const connection of this.#connections) connection.partition()
  }

  heal(): void {
    const partitioned = this.#partitioned
    this.#partitioned = undefined
    for (const connection of this.connections) connection.heal()
    partitioned?.resolve()
  }

  /** Connects in memory; rejects with ECONNREFUSED, and with the signal's reason. */
  async dial(signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted()
    while (this.#partitioned !== undefined)
      await raceAbort(this.#partitioned.promise, signal, () => undefined)
    if (!this.#isOpen || this.#isRefusing) throw connectionRefused(formatEndpoint(this.endpoint))
    return this.connect()
  }

  /** Connects in memory at once, also while it is closed or partitioned: the caller has checked that. */
  connect(): Duplex {
    const { client, server } = memorySocketPair()
    this.#accept(server)
    return client
  }

  #accept(socket: ServerSocket): void {
    const connection: C | undefined = this.#deps.newConnection(socket, () => {
      if (connection !== undefined) this.#connections.delete(connection)
    })
    if (connection === undefined) {
      socket.reset()
      return
    }
    this.#connections.add(connection)
    if (this.#partitioned !== undefined) connection.partition()
  }
}
