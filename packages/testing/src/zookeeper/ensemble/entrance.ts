import type { Duplex } from 'node:stream'
import { type Endpoint, formatEndpoint } from '@ha/core'
import { type Deferred, deferred, raceAbort } from '@ha/core/driver'
import {
  connectionRefused,
  ListeningPort,
  memorySocketPair,
  type ServerSocket,
} from '../../server/sockets.ts'
import type { KeeperConnection } from './connection.ts'

/** What an entrance needs from its node. */
export interface EntranceEnds {
  readonly number: number
  /** Whether it opens a port: without one it can only be dialed in memory. */
  readonly listens: boolean
  /** Makes the line of a client, and lets it talk. */
  readonly newLine: (socket: ServerSocket, onClosed: () => void) => KeeperConnection
}

const firstPort = 2_181

/** Where the clients of a node come in, and the network between them and the node. It keeps its address for life. */
export class Entrance {
  readonly #deps: EntranceEnds
  readonly #port: ListeningPort | undefined
  readonly #lines = new Set<KeeperConnection>()
  #isOpen = false
  #isRefusing = false
  // Resolves when the network is whole again: undefined while it is.
  #severed: Deferred<void> | undefined

  constructor(deps: EntranceEnds) {
    this.#deps = deps
    this.#port = deps.listens ? new ListeningPort('127.0.0.1', (socket) => this.#accept(socket)) : undefined
  }

  get endpoint(): Endpoint {
    return { host: '127.0.0.1', port: this.#port?.port ?? firstPort + this.#deps.number - 1 }
  }

  /** The lines of the clients that are inside, the oldest first. */
  get lines(): readonly KeeperConnection[] {
    return [...this.#lines]
  }

  async open(): Promise<void> {
    this.#isOpen = true
    if (!this.#isRefusing) await this.#port?.open()
  }

  /** Nobody new comes in. */
  async close(): Promise<void> {
    this.#isOpen = false
    await this.#port?.close()
  }

  /** Nobody new comes in until {@link admit}, however open it is. */
  async refuse(): Promise<void> {
    this.#isRefusing = true
    await this.#port?.close()
  }

  async admit(): Promise<void> {
    this.#isRefusing = false
    if (this.#isOpen) await this.#port?.open()
  }

  /** The network carries nothing, and nobody is told: who connects waits. */
  sever(): void {
    this.#severed ??= deferred()
    for (const line of this.#lines) line.sever()
  }

  mend(): void {
    const severed = this.#severed
    this.#severed = undefined
    for (const line of this.lines) line.mend()
    severed?.resolve()
  }

  /** Connects without a port; rejects with ECONNREFUSED, and with the signal's reason. */
  async dial(signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted()
    while (this.#severed !== undefined) await raceAbort(this.#severed.promise, signal, () => undefined)
    if (!this.#isOpen || this.#isRefusing) throw connectionRefused(formatEndpoint(this.endpoint))
    const { client, server } = memorySocketPair()
    this.#accept(server)
    return client
  }

  #accept(socket: ServerSocket): void {
    const line: KeeperConnection = this.#deps.newLine(socket, () => this.#lines.delete(line))
    this.#lines.add(line)
    if (this.#severed !== undefined) line.sever()
  }
}
