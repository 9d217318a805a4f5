import { Malformed } from './malformed.ts'

/** Reads a buffer from front to back and never beyond its end. */
export class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  octet(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }

  short(): number {
    return this.#bytes.readUInt16BE(this.#take(2))
  }

  long(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  /** An unsigned 64-bit number; one that a double cannot hold is malformed, no peer counts that far. */
  longlong(): number {
    const high = this.long()
    const value = high * 0x1_0000_0000 + this.long()
    if (!Number.isSafeInteger(value)) throw new Malformed(`a number beyond 2^53: ${value}`)
    return value
  }

  shortstr(): string {
    return this.text(this.octet())
  }

  longstr(): string {
    return this.text(this.long())
  }

  text(length: number): string {
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  /** The next bytes themselves, not a copy. */
  bytes(length: number): Buffer {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  #take(length: number): number {
    if (length > this.left) throw new Malformed(`${length} bytes wanted, ${this.left} left`)
    const start = this.#at
    this.#at += length
    return start
  }
}
