import type { Duplex } from 'node:stream'
import type { Clock } from '@ha/core'
import { asError } from '@ha/core/driver'
import { MalformedError } from '../protocol/error-codes.ts'

/** Receives what a wire delivers. */
export interface WireListener {
  /** An error that it throws ends the wire. */
  frame(frame: Frame): void
  /** Called once, as the last call. */
  end(cause: Error): void
}

/**
 * A stream that carries packets. Errors of the stream are never thrown: they end the wire, and the listener is called.
 */
export class Wire {
  readonly #stream: Duplex
  readonly #clock: Clock
  readonly #frames: FrameReader
  #listener: WireListener | undefined
  // Packets that arrived without a listener, between the handshake and the connection.
  #undelivered: Frame[] = []
  // The chunk that is being read, and those that arrived meanwhile: an in-memory stream may answer synchronously.
  readonly #chunks: Buffer[] = []
  #ended: Error | undefined
  #receivedBytes = 0
  #sentAtMs: number
  #receivedAtMs: number

  constructor(
    stream: Duplex,
    { clock, maxFrameBytes }: { readonly clock: Clock; readonly maxFrameBytes: number },
  ) {
    this.#stream = stream
    this.#clock = clock
    this.#frames = new FrameReader(maxFrameBytes)
    this.#sentAtMs = clock.now()
    this.#receivedAtMs = clock.now()
    stream.on('data', (chunk: Buffer) => this.#read(chunk))
    stream.on('error', (error) => this.destroy(error))
    stream.on('end', () => this.destroy(hungUpError()))
    stream.on('close', () => this.destroy(hungUpError()))
    // The stream may have ended before the listeners were added.
    if (stream.destroyed) this.destroy(stream.errored ?? hungUpError())
  }

  /** The number of bytes received. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** When something was last sent, or when the wire was made, by the clock. */
  get sentAtMs(): number {
    return this.#sentAtMs
  }

  /** When something was last received, or when the wire was made, by the clock. */
  get receivedAtMs(): number {
    return this.#receivedAtMs
  }

  /**
   * Sets the listener, which also receives what arrived without one. The previous listener receives nothing more.
   */
  listen(listener: WireListener): void {
    if (this.#ended !== undefined) {
      listener.end(this.#ended)
      return
    }
    this.#listener = listener
    const frames = this.#undelivered
    this.#undelivered = []
    this.#safely(() => {
      for (const frame of frames) this.#deliver(frame)
    })
  }

  /** Keeps what arrives for the next listener. */
  pause(): void {
    this.#listener = undefined
  }

  /** Whether as much as possible of a packet that is too long is delivered, and not only its header. */
  set keepsBeginnings(keeps: boolean) {
    this.#frames.keepsBeginnings = keeps
  }

  /** Sends a packet, which includes its length. Does nothing after the end. */
  send(bytes: Buffer): void {
    if (this.#ended !== undefined) return
    this.#sentAtMs = this.#clock.now()
    this.#stream.write(bytes)
  }

  /** Ends the wire at once. Only the first cause counts. */
  destroy(cause: Error): void {
    if (this.#ended !== undefined) return
    this.#ended = cause
    this.#stream.destroy()
    this.#listener?.end(cause)
  }

  #read(chunk: Buffer): void {
    this.#receivedBytes += chunk.length
    this.#receivedAtMs = this.#clock.now()
    this.#chunks.push(chunk)
    if (this.#chunks.length === 1) this.#safely(() => this.#readChunks())
  }

  #readChunks(): void {
    for (let next = this.#chunks[0]; next !== undefined; next = this.#chunks[0]) {
      for (const frame of this.#frames.read(next)) this.#deliver(frame)
      this.#chunks.shift()
    }
  }

  #deliver(frame: Frame): void {
    if (this.#ended !== undefined) return
    if (this.#listener === undefined) this.#undelivered.push(frame)
    else this.#listener.frame(frame)
  }

  #safely(act: () => void): void {
    try {
      act()
    } catch (thrown) {
      this.destroy(asError(thrown))
    }
  }
}

function hungUpError(): Error {
  return new Error('the server closed the connection')
}

const lengthBytes = 4

// The header of a reply, which tells its request.
const headBytes = 16

/** A packet, or the beginning of one that is longer than the limit; the rest of that one is never kept. */
export interface Frame {
  readonly bytes: Buffer
  /** The length of the whole packet. */
  readonly wholeBytes: number
}

/** Splits the bytes of a stream into packets, each of which has its length before it. */
export class FrameReader {
  readonly #maxBytes: number
  readonly #length = Buffer.alloc(lengthBytes)
  #lengthFilled = 0
  #body: Buffer | undefined
  #bodyFilled = 0
  // The remaining bytes of a packet that is too long.
  #skipBytes = 0
  /** Whether as much as possible of a packet that is too long is kept, and not only its header. */
  keepsBeginnings = false

  /** @param maxBytes The longest packet that is kept, in bytes. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * The packets that end in this chunk, and the beginnings of those that are too long; a packet that lies wholly in the
   * chunk shares its memory. Throws `MalformedError` for a negative length.
   */
  *read(chunk: Buffer): Generator<Frame, void, undefined> {
    let rest = this.#readLength(this.#skip(chunk))
    while (this.#lengthFilled === lengthBytes) {
      const wholeBytes = this.#wholeBytes()
      const keptBytes = wholeBytes > this.#maxBytes ? Math.min(wholeBytes, this.#keptOfLong) : wholeBytes
      const { bytes, left } = this.#readBody(rest, keptBytes)
      if (bytes === undefined) return
      this.#lengthFilled = 0
      this.#skipBytes = wholeBytes - keptBytes
      yield { bytes, wholeBytes }
      rest = this.#readLength(this.#skip(left))
    }
  }

  get #keptOfLong(): number {
    return this.keepsBeginnings ? Math.max(headBytes, this.#maxBytes) : headBytes
  }

  // Each of these three returns the remaining bytes.
  #skip(bytes: Buffer): Buffer {
    const skipped = Math.min(this.#skipBytes, bytes.length)
    this.#skipBytes -= skipped
    return bytes.subarray(skipped)
  }

  #readLength(bytes: Buffer): Buffer {
    const copied = bytes.copy(this.#length, this.#lengthFilled)
    this.#lengthFilled += copied
    return bytes.subarray(copied)
  }

  #readBody(bytes: Buffer, length: number): { readonly bytes: Buffer | undefined; readonly left: Buffer } {
    if (this.#body === undefined && bytes.length >= length) {
      return { bytes: bytes.subarray(0, length), left: bytes.subarray(length) }
    }
    // The memory is allocated once, so that single bytes cost no more than large chunks.
    this.#body ??= Buffer.allocUnsafe(length)
    const copied = bytes.copy(this.#body, this.#bodyFilled)
    this.#bodyFilled += copied
    const left = bytes.subarray(copied)
    if (this.#bodyFilled < length) return { bytes: undefined, left }
    const body = this.#body
    this.#body = undefined
    this.#bodyFilled = 0
    return { bytes: body, left }
  }

  #wholeBytes(): number {
    const length = this.#length.readInt32BE(0)
    if (length >= 0) return length
    throw new MalformedError(`a frame of ${length} bytes`)
  }
}
