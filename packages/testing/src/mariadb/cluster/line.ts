import { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { ServerSocket } from '../../server/sockets.ts'
import { Conversation } from '../conversation/conversation.ts'
import type { ExchangeEnds } from '../conversation/exchange.ts'
import type { Users } from '../conversation/users.ts'
import type { Server } from '../engine/server.ts'
import type { CommandScript } from '../script/plan.ts'
import { type Packet, PacketReader } from '../wire/packet.ts'
import type { CommandLog } from './command-log.ts'

/** What a line needs from its node. */
export interface LineEnds extends Pick<ExchangeEnds, 'clock' | 'awake'> {
  readonly node: number
  /** Its number among all lines of the cluster. */
  readonly connection: number
  /** Its number on the node, as its client is told. */
  readonly connectionId: number
  readonly server: Server
  readonly users: Users
  readonly script: CommandScript
  readonly log: CommandLog
  readonly onClosed: () => void
}

/** One connection of a client: its socket, its script, and what is said on it. */
export class Line {
  readonly #pipe: ScriptedPipe<Packet>
  readonly #conversation: Conversation

  constructor(socket: ServerSocket, ends: LineEnds) {
    const { node, connection, script, log } = ends
    this.#pipe = new ScriptedPipe(socket, {
      reader: new PacketReader(),
      stopIn: (from, position, length) => script.stopIn({ from, position, length, node, connection }),
      onClosed: ends.onClosed,
    })
    this.#conversation = new Conversation({
      ...ends,
      pipe: this.#pipe,
      planOf: (said) => script.planOf({ ...said, node, connection }),
      released: (name) => script.released(name),
      onKilled: () => this.drop(),
      note: (said, fate) => log.add({ ...said, outcome: fate, node, connection }),
    })
  }

  /** Talks until one of both has enough. */
  run(): Promise<void> {
    return this.#conversation.run()
  }

  /** The process stands still. */
  freeze(): void {
    this.#pipe.freeze()
  }

  thaw(): void {
    this.#pipe.thaw()
  }

  /** Ends at once: the client reads a plain end. */
  drop(): void {
    this.#conversation.end()
    this.#pipe.end({ do: 'cut', how: 'end' })
  }

  /** Ends at once: the client reads ECONNRESET. */
  reset(): void {
    this.#conversation.end()
    this.#pipe.reset()
  }
}
