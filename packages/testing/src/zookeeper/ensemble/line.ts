import { ScriptedPipe } from '../../server/scripted-pipe.ts'
import type { ServerSocket } from '../../server/sockets.ts'
import { Conversation, type ConversationEnds } from '../conversation/conversation.ts'
import type { Server } from '../conversation/server.ts'
import type { RequestScript } from '../script/plan.ts'
import { type Frame, FrameReader } from '../wire/frame.ts'
import type { FakeEnsembleOptions } from './options.ts'
import type { RequestLog } from './request-log.ts'

/** What a line needs from its node. */
export interface LineEnds extends Pick<ConversationEnds, 'clock' | 'awake'> {
  readonly node: number
  /** Its number among all lines of the ensemble. */
  readonly connection: number
  readonly options: Pick<Required<FakeEnsembleOptions>, 'maxFrameBytes'>
  readonly server: Server
  readonly script: RequestScript
  readonly log: RequestLog
  readonly onClosed: () => void
}

/** One connection of a client: its socket, its script, and what is said on it. */
export class Line {
  readonly connection: number
  readonly #pipe: ScriptedPipe<Frame>
  readonly #conversation: Conversation

  constructor(socket: ServerSocket, ends: LineEnds) {
    const { node, connection, script, log, options } = ends
    this.connection = connection
    this.#pipe = new ScriptedPipe(socket, {
      reader: new FrameReader(options.maxFrameBytes),
      stopIn: (from, position, length) => script.stopIn({ from, position, length, node, connection }),
      onClosed: () => {
        this.#conversation.end()
        ends.onClosed()
      },
    })
    this.#conversation = new Conversation({
      ...ends,
      pipe: this.#pipe,
      planOf: ({ op, paths, session }) => script.planOf({ op, paths, session, node, connection }),
      released: (name) => script.released(name),
      note: (said, fate) => log.add({ ...said, fate, node, connection }),
    })
  }

  /** The session that it has; 0 for none. */
  get session(): bigint {
    return this.#conversation.session
  }

  /** Talks until one of both has enough. */
  run(): Promise<void> {
    return this.#conversation.run()
  }

  /** Says something that nobody asked for. */
  inject(bytes: Uint8Array): void {
    this.#pipe.write(bytes)
  }

  /** The process stands still. */
  freeze(): void {
    this.#pipe.freeze()
  }

  thaw(): void {
    this.#pipe.thaw()
  }

  /** The network carries nothing. */
  sever(): void {
    this.#pipe.partition()
  }

  mend(): void {
    this.#pipe.heal()
  }

  /** Its session is over. Who has just said so itself is told first. */
  leave(): void {
    if (!this.#conversation.isLeaving) this.drop()
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

  /** Ends for good, whether or not the client can be told. */
  destroy(): void {
    this.#conversation.end()
    this.#pipe.destroy()
  }
}
