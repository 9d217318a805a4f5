import { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { ServerSocket } from '../../server/sockets.ts'
import { ProtocolHandler, type ProtocolHandlerDeps } from '../protocol/handler.ts'
import type { KeeperServer } from '../protocol/server.ts'
import type { RequestScript } from '../rules.ts'
import { type Frame, FrameReader } from '../wire/frames.ts'
import type { FakeEnsembleOptions } from './options.ts'
import type { RequestLog } from './request-log.ts'

/** What a connection needs from its node. */
export interface KeeperConnectionDeps extends Pick<ProtocolHandlerDeps, 'clock' | 'awake'> {
  readonly node: number
  /** Its number among all connections of the ensemble. */
  readonly connection: number
  readonly options: Pick<Required<FakeEnsembleOptions>, 'maxFrameBytes'>
  readonly server: KeeperServer
  readonly script: RequestScript
  readonly log: RequestLog
  readonly onClosed: () => void
}

/** One connection of a client: its socket, its script and its protocol handler. */
export class KeeperConnection {
  readonly connection: number
  readonly #pipe: ScriptedPipe<Frame>
  readonly #handler: ProtocolHandler

  constructor(socket: ServerSocket, deps: KeeperConnectionDeps) {
    const { node, connection, script, log, options } = deps
    this.connection = connection
    this.#pipe = new ScriptedPipe(socket, {
      reader: new FrameReader(options.maxFrameBytes),
      stopIn: (from, position, length) => script.stopIn({ from, position, length, node, connection }),
      onClosed: () => {
        this.#handler.end()
        deps.onClosed()
      },
    })
    this.#handler = new ProtocolHandler({
      ...deps,
      pipe: this.#pipe,
      planOf: ({ op, paths, session }) => script.planOf({ op, paths, session, node, connection }),
      released: (name) => script.released(name),
      record: (operation, outcome) => log.add({ ...operation, outcome, node, connection }),
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
