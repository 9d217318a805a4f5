import { type Deferred, deferred } from '@ha/core/driver'
import type { ConnectionEnding, CutKind, Side } from './rules.ts'
import type { ByteStop } from './script.ts'
import type { ServerSocket } from './sockets.ts'

/** Cuts a stream of bytes into what a protocol speaks in, `U`. It is pulled: what is not asked for stays bytes. */
export interface MessageReader<U> {
  push(bytes: Buffer): void
  /** The next one; undefined when it has not wholly arrived. */
  next(): U | undefined
}

/** What a pipe needs from its node. */
export interface ScriptedPipeDeps<U> {
  readonly reader: MessageReader<U>
  /** Where in the next bytes a rule acts. */
  readonly stopIn: (
    from: Side,
    position: number,
    length: number,
  ) => ByteStop<ConnectionEnding<CutKind>> | undefined
  /** Nothing more is heard and nothing more can be said. */
  readonly onClosed: () => void
}

type State =
  | 'open'
  /** It says nothing any more, and hears the client out. */
  | 'mute'
  /** It reads nothing and says nothing any more, and the socket stays. */
  | 'silent'
  | 'gone'

/** Why a pipe is not read although it is open: the process stands still, or the network is cut. */
type Pause = 'frozen' | 'severed'

/** A fake server's bytes of one connection, both ways, counted, with the acts of rules about bytes. */
export class ScriptedPipe<U> {
  readonly #socket: ServerSocket
  readonly #deps: ScriptedPipeDeps<U>
  readonly #pauses = new Set<Pause>()
  #state: State = 'open'
  #isHeardOut = false
  #received = 0
  #sent = 0
  #arrival: Deferred<void> = deferred()
  // What a network that is cut has not carried to the client yet: undefined while it is whole.
  #held: (() => void)[] | undefined

  constructor(socket: ServerSocket, deps: ScriptedPipeDeps<U>) {
    this.#socket = socket
    this.#deps = deps
    const { stream } = socket
    stream.on('data', (bytes: Buffer) => this.#receive(bytes))
    stream.on('end', () => this.#hearOut())
    // The reason does not matter to a server: 'close' follows.
    stream.on('error', () => undefined)
    stream.on('close', () => {
      this.#hearOut()
      deps.onClosed()
    })
  }

  /** Whether what is read still counts. */
  get isListening(): boolean {
    return this.#state === 'open' || this.#state === 'mute'
  }

  /**
   * What the client says next; undefined when it says nothing any more. A pipe that fell silent never resolves. Rejects
   * with what the reader throws at bytes that cannot be.
   */
  async read(): Promise<U | undefined> {
    for (;;) {
      // What had arrived before a cut has arrived.
      const unit = this.#state === 'silent' ? undefined : this.#deps.reader.next()
      if (unit !== undefined) return unit
      if (this.#state === 'gone' || (this.#isHeardOut && this.#state !== 'silent')) return undefined
      await this.#arrival.promise
    }
  }

  write(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0 && this.#state === 'open'; ) {
      const stop = this.#deps.stopIn('server', this.#sent, rest.length)
      const part = stop === undefined ? rest : rest.subarray(0, stop.bytes)
      this.#sent += part.length
      this.#toClient(() => this.#socket.stream.write(part))
      rest = rest.subarray(part.length)
      if (stop !== undefined) this.end(stop.act)
    }
  }

  /** The process stands still: what arrives waits in the system's buffers. */
  freeze(): void {
    this.#pause('frozen')
  }

  thaw(): void {
    this.#goOn('frozen')
  }

  /** The network carries nothing in either direction, and nobody is told. */
  partition(): void {
    this.#held ??= []
    this.#pause('severed')
  }

  /** The network carries again, first of all what it owes. */
  heal(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const act of held) act()
    this.#goOn('severed')
  }

  /** Ends what the connection says, behind what was said. */
  end(act: ConnectionEnding<CutKind>): void {
    if (!this.isListening) return
    if (act.do === 'cut') this.#cut(act.how)
    else {
      this.#state = 'silent'
      this.#socket.stream.pause()
    }
  }

  /** The process is gone: the system ends the connection by force. */
  reset(): void {
    this.#leave()
    this.#toClient(() => this.#socket.reset())
  }

  /** Ends the connection here, whether or not its client can be told. */
  destroy(): void {
    this.#leave()
    this.#socket.reset()
  }

  #cut(how: CutKind): void {
    const { stream } = this.#socket
    if (how === 'half') {
      this.#state = 'mute'
      this.#toClient(() => stream.end())
      return
    }
    this.#leave()
    if (how === 'reset') this.#toClient(() => this.#socket.resetAfterRead())
    else {
      this.#toClient(() => stream.end(() => stream.destroy()))
      // Whoever has been closed discards what it is still told.
      if (this.#pauses.size === 0) stream.resume()
    }
  }

  #receive(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0 && this.isListening; ) {
      const stop = this.#deps.stopIn('client', this.#received, rest.length)
      const part = stop === undefined ? rest : rest.subarray(0, stop.bytes)
      this.#received += part.length
      this.#deps.reader.push(part)
      rest = rest.subarray(part.length)
      if (stop !== undefined) this.end(stop.act)
    }
    this.#wake()
  }

  #pause(reason: Pause): void {
    this.#pauses.add(reason)
    this.#socket.stream.pause()
  }

  #goOn(reason: Pause): void {
    this.#pauses.delete(reason)
    if (this.#pauses.size === 0 && this.#state !== 'silent') this.#socket.stream.resume()
  }

  #toClient(act: () => void): void {
    if (this.#held === undefined) act()
    else this.#held.push(act)
  }

  #hearOut(): void {
    this.#isHeardOut = true
    this.#wake()
  }

  #leave(): void {
    this.#state = 'gone'
    this.#wake()
  }

  #wake(): void {
    const arrival = this.#arrival
    this.#arrival = deferred()
    arrival.resolve()
  }
}
