import { ByteCursor, MalformedMessage } from '../../server/byte-cursor.ts'

/** Reads a buffer from front to back and never beyond its end. */
export class ByteReader extends ByteCursor {
  octet(): number {
    return this.source.readUInt8(this.take(1))
  }

  short(): number {
    return this.source.readUInt16BE(this.take(2))
  }

  long(): number {
    return this.source.readUInt32BE(this.take(4))
  }

  /** An unsigned 64-bit number; one that a double cannot hold is malformed, no peer counts that far. */
  longlong(): number {
    const high = this.long()
    const value = high * 0x1_0000_0000 + this.long()
    if (!Number.isSafeInteger(value)) throw new MalformedMessage(`a number beyond 2^53: ${value}`)
    return value
  }

  shortstr(): string {
    return this.text(this.octet())
  }

  longstr(): string {
    return this.text(this.long())
  }

  text(length: number): string {
    const start = this.take(length)
    return this.source.toString('utf8', start, start + length)
  }
}
