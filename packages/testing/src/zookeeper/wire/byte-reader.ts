import { ByteCursor, MalformedMessage } from '../../server/byte-cursor.ts'

/** Reads a record from front to back and never beyond its end. All numbers are signed and big-endian. */
export class ByteReader extends ByteCursor {
  int(): number {
    return this.source.readInt32BE(this.take(4))
  }

  long(): bigint {
    return this.source.readBigInt64BE(this.take(8))
  }

  flag(): boolean {
    return this.source.readUInt8(this.take(1)) !== 0
  }

  /** Bytes behind their length; a length of -1 stands for none. */
  buffer(): Buffer | null {
    const length = this.#length()
    return length === undefined ? null : this.bytes(length)
  }

  /** Text behind its length; none is read as empty. */
  text(): string {
    return this.buffer()?.toString('utf8') ?? ''
  }

  /** Items behind their count; none is read as empty. */
  list<T>(readItem: () => T): readonly T[] {
    const count = this.#length() ?? 0
    // An item takes a byte at least: who claims more would make us allocate for nothing.
    if (count > this.left) throw new MalformedMessage(`${count} items in ${this.left} bytes`)
    return Array.from({ length: count }, readItem)
  }

  #length(): number | undefined {
    const length = this.int()
    if (length < -1) throw new MalformedMessage(`a length cannot be ${length}`)
    return length === -1 ? undefined : length
  }
}
