import type { Duplex } from 'node:stream'
import { type Gate, gate } from '@ha/core'
import type { ByteStop, Side } from '@ha/core/testing'
import type { CutHow, Ending } from '../script/rule.ts'
import { type Packet, PacketReader } from '../wire/packet.ts'

/** One end of a connection: a stream, and how it is reset. */
export interface Socketlike {
  readonly stream: Duplex
  /** Ends it at once, so that the other side reads ECONNRESET. */
  readonly reset: () => void
}

/** What a pipe needs from its node. */
export interface PipeEnds {
  /** Where in the next bytes a rule acts. */
  readonly stopIn: (from: Side, position: number, length: number) => ByteStop<Ending> | undefined
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

/** The bytes of one connection, both ways, counted, with the acts of rules about bytes. */
export class Pipe {
  readonly #socket: Socketlike
  readonly #ends: PipeEnds
  readonly #reader = new PacketReader()
  #state: State = 'open'
  #isHeardOut = false
  #received = 0
  #sent = 0
  #arrival: Gate<void> = gate()

  constructor(socket: Socketlike, ends: PipeEnds) {
    this.#socket = socket
    this.#ends = ends
    const { stream } = socket
    stream.on('data', (bytes: Buffer) => this.#receive(bytes))
    stream.on('end', () => this.#hearOut())
    // The reason does not matter to a server: 'close' follows.
    stream.on('error', () => undefined)
    stream.on('close', () => {
      this.#hearOut()
      ends.onClosed()
    })
  }

  /** Whether what is read still counts. */
  get isListening(): boolean {
    return this.#state === 'open' || this.#state === 'mute'
  }

  /** The next packet; undefined when there is none any more. A pipe that fell silent never gives another. */
  async read(): Promise<Packet | undefined> {
    for (;;) {
      // What had arrived before a cut has arrived.
      const packet = this.#state === 'silent' ? undefined : this.#reader.next()
      if (packet !== undefined) return packet
      if (this.#state === 'gone' || (this.#isHeardOut && this.#state !== 'silent')) return undefined
      await this.#arrival.promise
    }
  }

  write(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0 && this.#state === 'open'; ) {
      const stop = this.#ends.stopIn('server', this.#sent, rest.length)
      const part = stop === undefined ? rest : rest.subarray(0, stop.bytes)
      this.#sent += part.length
      this.#socket.stream.write(part)
      rest = rest.subarray(part.length)
      if (stop !== undefined) this.end(stop.act)
    }
  }

  /** The process stands still: what arrives waits in the system's buffers. */
  pause(): void {
    this.#socket.stream.pause()
  }

  resume(): void {
    if (this.#state !== 'silent') this.#socket.stream.resume()
  }

  /** Ends what the connection says, behind what was said. */
  end(act: Ending): void {
    if (this.#state === 'gone' || this.#state === 'silent') return
    if (act.do === 'cut') this.#cut(act.how)
    else {
      this.#state = 'silent'
      this.#socket.stream.pause()
    }
  }

  /** Ends the connection at once, whatever was said. */
  reset(): void {
    this.#socket.reset()
    this.#leave()
  }

  #cut(how: CutHow): void {
    const { stream } = this.#socket
    if (how === 'half') {
      this.#state = 'mute'
      stream.end()
      return
    }
    this.#leave()
    if (how === 'end') {
      // Whoever has been closed discards what it is still told.
      stream.end(() => stream.destroy())
      stream.resume()
    } else stream.write(Buffer.alloc(0), () => afterClientRead(this.#socket.reset))
  }

  #receive(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0 && this.isListening; ) {
      const stop = this.#ends.stopIn('client', this.#received, rest.length)
      const part = stop === undefined ? rest : rest.subarray(0, stop.bytes)
      this.#received += part.length
      this.#reader.push(part)
      rest = rest.subarray(part.length)
      if (stop !== undefined) this.end(stop.act)
    }
    this.#wake()
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
    this.#arrival = gate()
    arrival.resolve()
  }
}

// A client that finds bytes and an RST together is told of the RST alone. One in this process has read the bytes when
// the event loop has gone round once: the first immediate belongs to the round that is on.
function afterClientRead(act: () => void): void {
  setImmediate(() => setImmediate(act))
}
