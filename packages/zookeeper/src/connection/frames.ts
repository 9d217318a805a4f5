import { MalformedError } from '../driver/malformed.ts'

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
export class Frames {
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
