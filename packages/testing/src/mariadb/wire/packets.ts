import { ByteCursor, MalformedMessage } from '../../server/byte-cursor.ts'

/** A payload, and the sequence number of its first packet. */
export interface Packet {
  readonly payload: Buffer
  readonly sequence: number
  /** Its size on the wire, headers included. */
  readonly wireBytes: number
}

// The header of each packet: three bytes of length and one of sequence.
const headerBytes = 4

// A payload that fills a packet to the last byte goes on in the next one, which may be empty.
const fullPacketBytes = 0xff_ffff

/** Puts payloads into packets, numbered from `sequence`. */
export function encodePackets(payloads: readonly Buffer[], sequence: number): Buffer {
  const parts: Buffer[] = []
  let number = sequence
  for (const payload of payloads) {
    for (const piece of pieces(payload)) {
      const header = Buffer.alloc(headerBytes)
      header.writeUIntLE(piece.length, 0, 3)
      header.writeUInt8(number & 0xff, 3)
      number += 1
      parts.push(header, piece)
    }
  }
  return Buffer.concat(parts)
}

function pieces(payload: Buffer): readonly Buffer[] {
  const count = Math.floor(payload.length / fullPacketBytes) + 1
  return Array.from({ length: count }, (_, i) =>
    payload.subarray(i * fullPacketBytes, (i + 1) * fullPacketBytes),
  )
}

/** Cuts a stream of bytes into packets. */
export class PacketReader {
  #bytes: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
  }

  /** The next packet, joined when it was split; undefined until it has arrived completely. */
  next(): Packet | undefined {
    const payloads: Buffer[] = []
    for (let at = 0; at + headerBytes <= this.#bytes.length; ) {
      const length = this.#bytes.readUIntLE(at, 3)
      const start = at + headerBytes
      if (start + length > this.#bytes.length) return undefined
      payloads.push(this.#bytes.subarray(start, start + length))
      const sequence = this.#bytes.readUInt8(at + 3)
      at = start + length
      if (length === fullPacketBytes) continue
      this.#bytes = this.#bytes.subarray(at)
      return { payload: Buffer.concat(payloads), sequence, wireBytes: at }
    }
    return undefined
  }
}

/** Reads the fields of a packet, and never beyond its end. All numbers are little-endian. */
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

  /** A length-encoded integer. */
  length(): number {
    const first = this.octet()
    if (first < 0xfb) return first
    if (first === 0xfc) return this.short()
    if (first === 0xfd) return this.short() + this.octet() * 0x1_0000
    if (first === 0xfe) return Number(this.longlong())
    throw new MalformedMessage(`a length-encoded integer cannot begin with ${first}`)
  }

  /** A length-encoded string. */
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

/** Writes the fields of a packet. All numbers are little-endian. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = []

  octet(value: number): this {
    return this.raw(Uint8Array.of(value & 0xff))
  }

  short(value: number): this {
    return this.octet(value).octet(value >>> 8)
  }

  medium(value: number): this {
    return this.short(value).octet(value >>> 16)
  }

  long(value: number): this {
    return this.short(value).short(value >>> 16)
  }

  longlong(value: bigint): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
    return this.raw(bytes)
  }

  double(value: number): this {
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleLE(value)
    return this.raw(bytes)
  }

  /** A length-encoded integer. */
  length(value: number | bigint): this {
    if (value < 0xfb) return this.octet(Number(value))
    if (value <= 0xffff) return this.octet(0xfc).short(Number(value))
    if (value <= 0xff_ffff) return this.octet(0xfd).medium(Number(value))
    return this.octet(0xfe).longlong(BigInt(value))
  }

  text(text: string): this {
    return this.raw(Buffer.from(text, 'utf8'))
  }

  nullText(text: string): this {
    return this.text(text).octet(0)
  }

  /** A length-encoded string. */
  sized(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
    return this.length(bytes.length).raw(bytes)
  }

  zeros(count: number): this {
    return this.raw(new Uint8Array(count))
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(bytes)
    return this
  }

  take(): Buffer {
    return Buffer.concat(this.#parts)
  }
}
