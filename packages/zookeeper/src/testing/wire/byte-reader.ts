import { Malformed } from './malformed.ts'

/** Reads a record from front to back and never beyond its end. All numbers are signed and big-endian. */
export class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  flag(): boolean {
    return this.#bytes.readUInt8(this.#take(1)) !== 0
  }

  /** Bytes behind their length; a length of -1 stands for none. */
  buffer(): Buffer | null {
    const length = this.#length()
    if (length === undefined) return null
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** Text behind its length; none is read as empty. */
  text(): string {
    return this.buffer()?.toString('utf8') ?? ''
  }

  /** Items behind their count; none is read as empty. */
  list<T>(readItem: () => T): readonly T[] {
    const count = this.#length() ?? 0
    // An item takes a byte at least: who claims more would make us allocate for nothing.
    if (count > this.left) throw new Malformed(`${count} items in ${this.left} bytes`)
    return Array.from({ length: count }, readItem)
  }

  #length(): number | undefined {
    const length = this.int()
    if (length < -1) throw new Malformed(`a length cannot be ${length}`)
    return length === -1 ? undefined : length
  }

  #take(length: number): number {
    if (length > this.left) throw new Malformed(`${length} bytes wanted, ${this.left} left`)
    const start = this.#at
    this.#at += length
    return start
  }
}
