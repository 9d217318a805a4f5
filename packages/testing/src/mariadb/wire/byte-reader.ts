import { ByteCursor, MalformedMessage } from '../../server/byte-cursor.ts'

/** Reads a packet from front to back and never beyond its end. All numbers are little-endian. */
export class ByteReader extends ByteCursor {
  octet(): number {
    return this.source.readUInt8(this.take(1))
  }

  short(): number {
    return this.source.readUInt16LE(this.take(2))
  }

  long(): number {
    return this.source.readUInt32LE(this.take(4))
  }

  signed(length: 1 | 2 | 4): number {
    return this.source.readIntLE(this.take(length), length)
  }

  longlong(): bigint {
    return this.source.readBigInt64LE(this.take(8))
  }

  float(): number {
    return this.source.readFloatLE(this.take(4))
  }

  double(): number {
    return this.source.readDoubleLE(this.take(8))
  }

  /** A number that says itself how long it is. */
  length(): number {
    const first = this.octet()
    if (first < 0xfb) return first
    if (first === 0xfc) return this.short()
    if (first === 0xfd) return this.short() + this.octet() * 0x1_0000
    if (first === 0xfe) return Number(this.longlong())
    throw new MalformedMessage(`a length cannot begin with ${first}`)
  }

  /** Bytes behind their length. */
  sized(): Buffer {
    return this.bytes(this.length())
  }

  /** Text up to a zero byte, or to the end. */
  nullText(): string {
    const end = this.source.indexOf(0, this.at)
    if (end < 0) return this.rest().toString('utf8')
    const text = this.bytes(end - this.at).toString('utf8')
    this.take(1)
    return text
  }

  rest(): Buffer {
    return this.bytes(this.left)
  }
}
