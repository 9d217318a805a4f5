import type { Duplex } from 'node:stream'
import type { Clock } from '@ha/core'
import { asError } from '@ha/core/driver'
import { MalformedError } from '../protocol/error-codes.ts'

/** Who hears what a wire brings. */
export interface WireListener {
  /** What it throws ends the wire, and nothing else. */
  frame(frame: Frame): void
  /** Comes once, and nothing after it. */
  end(cause: Error): void
}

/**
 * A socket that carries frames, or anything like one. Nothing that happens on it is ever thrown at anybody: it ends
 * the wire, and its hearer is told.
 */
export class Wire {
  readonly #stream: Duplex
  readonly #clock: Clock
  readonly #frames: FrameReader
  #listener: WireListener | undefined
  // What came while nobody heard: between the handshake and the connection.
  #undelivered: Frame[] = []
  // What is being read, and what came meanwhile: a stream in memory may answer within the turn that it is asked in.
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
    // Its last events may have come before anybody listened.
    if (stream.destroyed) this.destroy(stream.errored ?? hungUpError())
  }

  /** How many bytes came. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** When something was last sent, or when the wire was made, by the clock. */
  get sentAtMs(): number {
    return this.#sentAtMs
  }

  /** When something last came, or when the wire was made, by the clock. */
  get receivedAtMs(): number {
    return this.#receivedAtMs
  }

  /** Hands over what comes from now on, and what came while nobody heard. The one before hears nothing more. */
  listen(hearer: WireListener): void {
    if (this.#ended !== undefined) {
      hearer.end(this.#ended)
      return
    }
    this.#listener = hearer
    const unheard = this.#undelivered
    this.#undelivered = []
    this.#safely(() => {
      for (const frame of unheard) this.#deliver(frame)
    })
  }

  /** Lets what comes wait for the next hearer. */
  pause(): void {
    this.#listener = undefined
  }

  /** Sends a frame, which has its length already. Does nothing when the wire is over. */
  send(bytes: Buffer): void {
    if (this.#ended !== undefined) return
    this.#sentAtMs = this.#clock.now()
    this.#stream.write(bytes)
  }

  /** Ends it at once. The first cause counts. */
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
  return new Error('the server hung up')
}

const lengthBytes = 4

// The header of an answer: it tells whose answer it is.
const headBytes = 16

/** A frame, or the beginning of one that is too long: the rest of that one is never kept. */
export interface Frame {
  readonly bytes: Buffer
  /** How long it is in all. */
  readonly wholeBytes: number
}

/** The frames of one socket: each is preceded by its length. What is unfinished when the socket ends, ends with it. */
export class FrameReader {
  readonly #maxBytes: number
  readonly #length = Buffer.alloc(lengthBytes)
  #lengthFilled = 0
  #body: Buffer | undefined
  #bodyFilled = 0
  // What is left to come of a frame that is too long.
  #skipBytes = 0

  /** @param maxBytes the longest frame that is kept, in bytes. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * The frames that end in this chunk, and the heads of those that are too long; one that lies in it whole shares its
   * memory. Throws `MalformedError` at a length that cannot be.
   */
  *read(chunk: Buffer): Generator<Frame, void, undefined> {
    let rest = this.#readLength(this.#skip(chunk))
    while (this.#lengthFilled === lengthBytes) {
      const wholeBytes = this.#wholeBytes()
      const keptBytes = wholeBytes > this.#maxBytes ? Math.min(wholeBytes, headBytes) : wholeBytes
      const { bytes, left } = this.#readBody(rest, keptBytes)
      if (bytes === undefined) return
      this.#lengthFilled = 0
      this.#skipBytes = wholeBytes - keptBytes
      yield { bytes, wholeBytes }
      rest = this.#readLength(this.#skip(left))
    }
  }

  // All three say what is left of the bytes.
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
    // The memory is set aside once, so that one byte at a time costs no more than all at once.
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
