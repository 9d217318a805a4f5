import type { Duplex } from 'node:stream'
import type { Clock } from '@ha/core'
import { asError } from '@ha/core/driver'
import { type Frame, Frames } from './frames.ts'

/** Who hears what a wire brings. */
export interface Hearer {
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
  readonly #frames: Frames
  #hearer: Hearer | undefined
  // What came while nobody heard: between the handshake and the connection.
  #unheard: Frame[] = []
  // What is being read, and what came meanwhile: a stream in memory may answer within the turn that it is asked in.
  readonly #chunks: Buffer[] = []
  #ended: Error | undefined
  #receivedBytes = 0
  #sentAtMs: number
  #heardAtMs: number

  constructor(
    stream: Duplex,
    { clock, maxFrameBytes }: { readonly clock: Clock; readonly maxFrameBytes: number },
  ) {
    this.#stream = stream
    this.#clock = clock
    this.#frames = new Frames(maxFrameBytes)
    this.#sentAtMs = clock.now()
    this.#heardAtMs = clock.now()
    stream.on('data', (chunk: Buffer) => this.#read(chunk))
    stream.on('error', (error) => this.destroy(error))
    stream.on('end', () => this.destroy(hungUp()))
    stream.on('close', () => this.destroy(hungUp()))
    // Its last events may have come before anybody listened.
    if (stream.destroyed) this.destroy(stream.errored ?? hungUp())
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
  get heardAtMs(): number {
    return this.#heardAtMs
  }

  /** Hands over what comes from now on, and what came while nobody heard. The one before hears nothing more. */
  hear(hearer: Hearer): void {
    if (this.#ended !== undefined) {
      hearer.end(this.#ended)
      return
    }
    this.#hearer = hearer
    const unheard = this.#unheard
    this.#unheard = []
    this.#safely(() => {
      for (const frame of unheard) this.#give(frame)
    })
  }

  /** Lets what comes wait for the next hearer. */
  pause(): void {
    this.#hearer = undefined
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
    this.#hearer?.end(cause)
  }

  #read(chunk: Buffer): void {
    this.#receivedBytes += chunk.length
    this.#heardAtMs = this.#clock.now()
    this.#chunks.push(chunk)
    if (this.#chunks.length === 1) this.#safely(() => this.#readChunks())
  }

  #readChunks(): void {
    for (let next = this.#chunks[0]; next !== undefined; next = this.#chunks[0]) {
      for (const frame of this.#frames.read(next)) this.#give(frame)
      this.#chunks.shift()
    }
  }

  #give(frame: Frame): void {
    if (this.#ended !== undefined) return
    if (this.#hearer === undefined) this.#unheard.push(frame)
    else this.#hearer.frame(frame)
  }

  #safely(act: () => void): void {
    try {
      act()
    } catch (thrown) {
      this.destroy(asError(thrown))
    }
  }
}

function hungUp(): Error {
  return new Error('the server hung up')
}
