import { Malformed } from './malformed.ts'

/** Reads a packet from front to back and never beyond its end. All numbers are little-endian. */
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
    return this.#bytes.readUInt16LE(this.#take(2))
  }

  long(): number {
    return this.#bytes.readUInt32LE(this.#take(4))
  }

  signed(length: 1 | 2 | 4): number {
    return this.#bytes.readIntLE(this.#take(length), length)
  }

  longlong(): bigint {
    return this.#bytes.readBigInt64LE(this.#take(8))
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#take(4))
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8))
  }

  /** A number that says itself how long it is. */
  length(): number {
    const first = this.octet()
    if (first < 0xfb) return first
    if (first === 0xfc) return this.short()
    if (first === 0xfd) return this.short() + this.octet() * 0x1_0000
    if (first === 0xfe) return Number(this.longlong())
    throw new Malformed(`a length cannot begin with ${first}`)
  }

  /** The next bytes themselves, not a copy. */
  bytes(length: number): Buffer {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Bytes behind their length. */
  sized(): Buffer {
    return this.bytes(this.length())
  }

  /** Text up to a zero byte, or to the end. */
  nullText(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    if (end < 0) return this.rest().toString('utf8')
    const text = this.bytes(end - this.#at).toString('utf8')
    this.#take(1)
    return text
  }

  rest(): Buffer {
    return this.bytes(this.left)
  }

  #take(length: number): number {
    if (length > this.left) throw new Malformed(`${length} bytes wanted, ${this.left} left`)
    const start = this.#at
    this.#at += length
    return start
  }
}
