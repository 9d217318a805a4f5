import type { ConnectionOrigin } from '../../server/rules.ts'
import { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { ServerSocket } from '../../server/sockets.ts'
import { ProtocolHandler } from '../protocol/handler.ts'
import type { KeeperServer } from '../protocol/server.ts'
import { type ClientMessage, ClientMessageReader } from '../wire/frames.ts'
import type { EnsembleNodeDeps } from './node-deps.ts'

/** What a connection needs from its node. */
export interface KeeperConnectionDeps {
  /** Its node, and its number among all connections of the ensemble. */
  readonly origin: ConnectionOrigin
  readonly ensemble: Pick<EnsembleNodeDeps, 'options' | 'script' | 'log'>
  readonly server: KeeperServer
  /** Resolves when the process of the node runs: at once, or when it continues. */
  readonly awake: () => Promise<void>
  readonly onClosed: () => void
}

/** One connection of a client: its socket, its script and its protocol handler. */
export class KeeperConnection {
  readonly connection: number
  readonly #pipe: ScriptedPipe<ClientMessage>
  readonly #handler: ProtocolHandler

  constructor(socket: ServerSocket, deps: KeeperConnectionDeps) {
    const { origin, server, awake } = deps
    const { script, log, options } = deps.ensemble
    this.connection = origin.connection
    this.#pipe = new ScriptedPipe(socket, {
      reader: new ClientMessageReader(options.maxFrameBytes),
      stopIn: (from, position, length) => script.stopIn({ from, position, length, ...origin }),
      onClosed: () => {
        this.#handler.end()
        deps.onClosed()
      },
    })
    this.#handler = new ProtocolHandler({
      server,
      awake,
      clock: options.clock,
      connection: origin.connection,
      pipe: this.#pipe,
      planOf: ({ op, paths, session }) => script.planOf({ op, paths, session, ...origin }),
      released: (name) => script.released(name),
      record: (operation, outcome) => log.add({ ...operation, outcome, ...origin }),
    })
  }

  /** The id of its session; 0 for none. */
  get session(): bigint {
    return this.#handler.session
  }

  /** Serves the client until one side ends the connection. */
  run(): Promise<void> {
    return this.#handler.run()
  }

  /** Sends bytes that the client did not request. */
  inject(bytes: Uint8Array): void {
    this.#pipe.write(bytes)
  }

  /** The process is stopped. */
  freeze(): void {
    this.#pipe.freeze()
  }

  thaw(): void {
    this.#pipe.thaw()
  }

  /** The network carries nothing. */
  partition(): void {
    this.#pipe.partition()
  }

  heal(): void {
    this.#pipe.heal()
  }

  /** Its session is over. A client that has closed it itself gets the answer first. */
  leave(): void {
    if (!this.#handler.isLeaving) this.drop()
  }

  /** Ends at once: the client reads a plain end. */
  drop(): void {
    this.#handler.end()
    this.#pipe.end({ do: 'cut', how: 'end' })
  }

  /** Ends at once: the client reads ECONNRESET. */
  reset(): void {
    this.#handler.end()
    this.#pipe.reset()
  }

  /** Ends at once, whether or not the client can be notified. */
  destroy(): void {
    this.#handler.end()
    this.#pipe.destroy()
  }
}
