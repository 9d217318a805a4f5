import { MalformedError } from '../driver/malformed.ts'

const lengthBytes = 4

/** The frames of one socket: each is preceded by its length. What is unfinished when the socket ends, ends with it. */
export class Frames {
  readonly #maxBytes: number
  readonly #length = Buffer.alloc(lengthBytes)
  #lengthFilled = 0
  #body: Buffer | undefined
  #bodyFilled = 0

  /** @param maxBytes the longest frame that is believed, in bytes. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /**
   * The frames that end in this chunk; one that lies in it whole shares its memory. Throws `MalformedError` at a
   * length that cannot be.
   */
  *read(chunk: Buffer): Generator<Buffer, void, undefined> {
    let rest = this.#readLength(chunk)
    while (this.#lengthFilled === lengthBytes) {
      const { frame, left } = this.#readBody(rest, this.#believedLength())
      if (frame === undefined) return
      this.#lengthFilled = 0
      yield frame
      rest = this.#readLength(left)
    }
  }

  // Both say what is left of the bytes.
  #readLength(bytes: Buffer): Buffer {
    const copied = bytes.copy(this.#length, this.#lengthFilled)
    this.#lengthFilled += copied
    return bytes.subarray(copied)
  }

  #readBody(bytes: Buffer, length: number): { readonly frame: Buffer | undefined; readonly left: Buffer } {
    if (this.#body === undefined && bytes.length >= length) {
      return { frame: bytes.subarray(0, length), left: bytes.subarray(length) }
    }
    // The memory is set aside once, so that one byte at a time costs no more than all at once.
    this.#body ??= Buffer.allocUnsafe(length)
    const copied = bytes.copy(this.#body, this.#bodyFilled)
    this.#bodyFilled += copied
    const left = bytes.subarray(copied)
    if (this.#bodyFilled < length) return { frame: undefined, left }
    const frame = this.#body
    this.#body = undefined
    this.#bodyFilled = 0
    return { frame, left }
  }

  #believedLength(): number {
    const length = this.#length.readInt32BE(0)
    if (length >= 0 && length <= this.#maxBytes) return length
    const advice = 'is it a ZooKeeper server?'
    throw new MalformedError(`a frame of ${length} bytes, where ${this.#maxBytes} are the most: ${advice}`)
  }
}
