import type { Socket } from 'node:net'
import type { Side } from '../../server/rules.ts'
import type { ByteStop } from '../../server/script.ts'
import type { ByteAct, CutHow } from '../rules.ts'

/** What a pipe needs from its line. */
export interface PipeEnds {
  /** Where in the next bytes a rule acts. */
  readonly stopIn: (from: Side, position: number, length: number) => ByteStop<ByteAct> | undefined
  readonly onBytes: (bytes: Buffer) => void
  /** The pipe may be read again. */
  readonly onReading: () => void
  /** Nothing more comes, and nothing more can be said. Called once. */
  readonly onGone: () => void
  /** The socket is closed. */
  readonly onClosed: () => void
}

/** Why a pipe is not read although it is open. */
export type Pause = 'alarm' | 'frozen'

type State =
  | 'open'
  /** It reads nothing and says nothing any more, and the socket stays. */
  | 'silent'
  /** It says nothing any more, and hears the client out. */
  | 'ended'
  | 'gone'

/** The bytes of one connection, both ways, counted, with the acts of rules about bytes. */
export class Pipe {
  readonly #socket: Socket
  readonly #deps: PipeEnds
  readonly #pauses = new Set<Pause>()
  #state: State = 'open'
  #received = 0
  #sent = 0
  #isCorked = false

  constructor(socket: Socket, deps: PipeEnds) {
    this.#socket = socket
    this.#deps = deps
    socket.setNoDelay(true)
    socket.on('data', (bytes) => this.#receive(bytes))
    // The reason does not matter to a server: 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#leave()
      deps.onClosed()
    })
  }

  get isReading(): boolean {
    return this.#state === 'open' && this.#pauses.size === 0
  }

  /** Whether what is written has a chance to arrive. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get receivedBytes(): number {
    return this.#received
  }

  get sentBytes(): number {
    return this.#sent
  }

  write(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0 && this.#state === 'open'; ) {
      const stop = this.#deps.stopIn('server', this.#sent, rest.length)
      const part = stop === undefined ? rest : rest.subarray(0, stop.bytes)
      this.#sent += part.length
      this.#put(part)
      rest = rest.subarray(part.length)
      if (stop !== undefined) this.#act(stop.act)
    }
  }

  /** Sends bytes that do not count. */
  inject(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#put(bytes)
  }

  pause(why: Pause): void {
    this.#pauses.add(why)
    this.#socket.pause()
  }

  resume(why: Pause): void {
    this.#pauses.delete(why)
    if (!this.isReading) return
    this.#deps.onReading()
    if (this.isReading) this.#socket.resume()
  }

  /** Reads nothing and says nothing from here on. */
  silence(): void {
    if (this.#state !== 'open') return
    this.#state = 'silent'
    this.#socket.pause()
  }

  /** Says nothing more; ends the socket behind what was said, and hears the client out. */
  end(): void {
    if (this.#state === 'gone') return
    this.#state = 'ended'
    this.#socket.end()
    // A socket that is not read never notices that the other side has ended too.
    this.#socket.resume()
  }

  /** Ends the connection at once, behind what was said. */
  cut(how: CutHow): void {
    if (how === 'end') this.end()
    else this.#socket.write(Buffer.alloc(0), () => afterClientRead(() => this.#socket.resetAndDestroy()))
    this.#leave()
  }

  /** Ends the connection at once, whatever was said. */
  reset(): void {
    this.#socket.resetAndDestroy()
    this.#leave()
  }

  #receive(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0 && this.#state === 'open'; ) {
      const stop = this.#deps.stopIn('client', this.#received, rest.length)
      const part = stop === undefined ? rest : rest.subarray(0, stop.bytes)
      this.#received += part.length
      this.#deps.onBytes(part)
      rest = rest.subarray(part.length)
      if (stop !== undefined) this.#act(stop.act)
    }
  }

  #act(act: ByteAct): void {
    switch (act.do) {
      case 'silence':
        this.silence()
        return
      case 'cut':
        this.cut(act.how)
        return
      case 'inject':
        this.inject(act.bytes)
    }
  }

  // What is said in one turn of the event loop leaves in one system call.
  #put(bytes: Uint8Array): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      queueMicrotask(() => {
        this.#isCorked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(bytes)
  }

  #leave(): void {
    if (this.#state === 'gone') return
    this.#state = 'gone'
    this.#deps.onGone()
  }
}

// A client that finds bytes and an RST together is told of a plain end. One in this process has read the bytes when the
// event loop has gone round once: the first immediate belongs to the round that is on.
function afterClientRead(act: () => void): void {
  setImmediate(() => setImmediate(act))
}
