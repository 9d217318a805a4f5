import { type Deferred, deferred } from '@ha/core/driver'
import type { ConnectionEnding, CutKind, PipeAct, Side } from './rules.ts'
import type { ByteStop } from './script.ts'
import type { ServerSocket } from './sockets.ts'

/** Cuts a stream of bytes into the messages of a protocol, `U`. It is pulled: what is not asked for stays bytes. */
export interface MessageReader<U> {
  push(bytes: Buffer): void
  /** The next message; undefined until it has arrived completely. */
  next(): U | undefined
}

/** What a pipe needs from its connection. */
export interface ScriptedPipeDeps<U> {
  readonly reader: MessageReader<U>
  /** Where in the next bytes a rule acts. */
  readonly stopIn: (from: Side, position: number, length: number) => ByteStop<PipeAct> | undefined
  /** There may be a message to {@link ScriptedPipe.take}: bytes have arrived, or the pipe is read again. */
  readonly onInput?: () => void
  /** Nothing more arrives and nothing more can be sent. Called once, before {@link onClosed}. */
  readonly onGone?: () => void
  /** The socket is closed. */
  readonly onClosed: () => void
  /** Whether a connection that the server ends stays open until its client closes it too. Default false. */
  readonly lingers?: boolean
}

type State =
  | 'open'
  /** The server has ended its half: it sends nothing more, and still serves what the client sends. */
  | 'half-closed'
  /** The server has ended the connection and discards what the client still sends. */
  | 'finished'
  /** Nothing is read or sent any more, and the socket stays open. */
  | 'silent'
  | 'gone'

/** Why an open pipe is not read: the process is stopped, the network is partitioned, or an alarm blocks publishers. */
type Pause = 'frozen' | 'partitioned' | 'alarm'

/** A scripted server's bytes of one connection: both directions are counted, and rules about bytes act on them. */
export class ScriptedPipe<U> {
  readonly #socket: ServerSocket
  readonly #deps: ScriptedPipeDeps<U>
  readonly #pauses = new Set<Pause>()
  #state: State = 'open'
  #isInputEnded = false
  #isGone = false
  #isCorked = false
  #received = 0
  #sent = 0
  #arrival: Deferred<void> = deferred()
  // What a partitioned network has not carried to the client yet; undefined while the network is whole.
  #undelivered: (() => void)[] | undefined

  constructor(socket: ServerSocket, deps: ScriptedPipeDeps<U>) {
    this.#socket = socket
    this.#deps = deps
    const { stream } = socket
    stream.on('data', (bytes: Buffer) => this.#receive(bytes))
    stream.on('end', () => this.#endInput())
    // The server does nothing with the reason: 'close' follows.
    stream.on('error', () => undefined)
    stream.on('close', () => this.#onClose())
  }

  /** Whether the server still serves what it reads. */
  get isListening(): boolean {
    return this.#state === 'open' || this.#state === 'half-closed'
  }

  /** Whether what is written may arrive. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Whether messages are taken now. */
  get isReading(): boolean {
    return this.#state === 'open' && this.#pauses.size === 0
  }

  get receivedBytes(): number {
    return this.#received
  }

  get sentBytes(): number {
    return this.#sent
  }

  /** The next message if it is there and the pipe is read now. Throws what the reader throws at malformed bytes. */
  take(): U | undefined {
    return this.isReading ? this.#deps.reader.next() : undefined
  }

  /**
   * Resolves with the client's next message, or with undefined when there will be none. Never resolves on a silent
   * pipe. Rejects with what the reader throws at malformed bytes.
   */
  async read(): Promise<U | undefined> {
    for (;;) {
      // What had arrived before a cut is still read.
      const message = this.#state === 'silent' ? undefined : this.#deps.reader.next()
      if (message !== undefined) return message
      if (this.#state === 'gone' || (this.#isInputEnded && this.#state !== 'silent')) return undefined
      await this.#arrival.promise
    }
  }

  write(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0 && this.#state === 'open'; ) {
      const stop = this.#deps.stopIn('server', this.#sent, rest.length)
      const part = stop === undefined ? rest : rest.subarray(0, stop.bytes)
      this.#sent += part.length
      this.#deliver(() => this.#socket.stream.write(part))
      rest = rest.subarray(part.length)
      if (stop !== undefined) this.#act(stop.act)
    }
  }

  /** Sends bytes that are not counted. */
  inject(bytes: Uint8Array): void {
    if (this.#state === 'open') this.#deliver(() => this.#socket.stream.write(bytes))
  }

  /** Lets what is written in this turn of the event loop leave in one system call. */
  cork(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#socket.stream.cork()
    queueMicrotask(() => {
      this.#isCorked = false
      this.#socket.stream.uncork()
    })
  }

  /** The process stops: what arrives waits in the system's buffers. */
  freeze(): void {
    this.#pause('frozen')
  }

  thaw(): void {
    this.#resume('frozen')
  }

  /** An alarm is raised: the client is not read. */
  block(): void {
    this.#pause('alarm')
  }

  unblock(): void {
    this.#resume('alarm')
  }

  /** The network carries nothing in either direction, and neither side is notified. */
  partition(): void {
    this.#undelivered ??= []
    this.#pause('partitioned')
  }

  /** The network carries again, first what was written meanwhile. */
  heal(): void {
    const undelivered = this.#undelivered ?? []
    this.#undelivered = undefined
    for (const act of undelivered) act()
    this.#resume('partitioned')
  }

  /** Ends the connection, or falls silent, behind what was written. */
  end(act: ConnectionEnding<CutKind>): void {
    if (this.#state === 'silent' || this.#state === 'gone') return
    if (act.do === 'cut') this.#cut(act.how)
    else if (this.isListening) {
      this.#state = 'silent'
      this.#socket.stream.pause()
    }
  }

  /** Sends a FIN behind what was written, and discards what arrives until the client closes the connection too. */
  finish(): void {
    if (this.#state === 'gone') return
    this.#state = 'finished'
    this.#socket.stream.end()
    // A socket that is not read never notices that the other side has ended too.
    this.#socket.stream.resume()
  }

  /** The process is gone: the system resets the connection. */
  reset(): void {
    this.#leave()
    this.#deliver(() => this.#socket.reset())
  }

  /** Ends the connection here, whether or not its client can be notified. */
  destroy(): void {
    this.#leave()
    this.#socket.reset()
  }

  #act(act: PipeAct): void {
    if (act.do === 'inject') this.inject(act.bytes)
    else this.end(act)
  }

  #cut(how: CutKind): void {
    const { stream } = this.#socket
    if (how === 'half') {
      this.#state = 'half-closed'
      this.#deliver(() => stream.end())
      return
    }
    if (how === 'end' && this.#deps.lingers === true) this.finish()
    this.#leave()
    if (how === 'reset') this.#deliver(() => this.#socket.resetAfterRead())
    else if (this.#deps.lingers !== true) {
      this.#deliver(() => stream.end(() => stream.destroy()))
      // The server discards what a client still sends to a connection that it has ended.
      if (this.#pauses.size === 0) stream.resume()
    }
  }

  #receive(bytes: Buffer): void {
    for (let rest = bytes; rest.length > 0 && this.isListening; ) {
      const stop = this.#deps.stopIn('client', this.#received, rest.length)
      const part = stop === undefined ? rest : rest.subarray(0, stop.bytes)
      this.#received += part.length
      this.#deps.reader.push(part)
      this.#deps.onInput?.()
      rest = rest.subarray(part.length)
      if (stop !== undefined) this.#act(stop.act)
    }
    this.#wake()
  }

  #pause(reason: Pause): void {
    this.#pauses.add(reason)
    this.#socket.stream.pause()
  }

  #resume(reason: Pause): void {
    this.#pauses.delete(reason)
    if (!this.#isFlowing) return
    this.#deps.onInput?.()
    if (this.#isFlowing) this.#socket.stream.resume()
  }

  get #isFlowing(): boolean {
    return this.#pauses.size === 0 && this.#state !== 'silent'
  }

  #deliver(act: () => void): void {
    if (this.#undelivered === undefined) act()
    else this.#undelivered.push(act)
  }

  #endInput(): void {
    this.#isInputEnded = true
    this.#wake()
  }

  #onClose(): void {
    this.#endInput()
    this.#notifyGone()
    this.#deps.onClosed()
  }

  #leave(): void {
    this.#state = 'gone'
    this.#wake()
    this.#notifyGone()
  }

  #notifyGone(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#deps.onGone?.()
  }

  #wake(): void {
    const arrival = this.#arrival
    this.#arrival = deferred()
    arrival.resolve()
  }
}
