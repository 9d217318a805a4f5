/** What one side says at once: a payload, and the number of its first packet. */
export interface Packet {
  readonly payload: Buffer
  readonly sequence: number
  /** How many bytes it took on the wire, heads included. */
  readonly wireBytes: number
}

// The head of each packet: three bytes of length and one of sequence.
const headBytes = 4

// A payload that fills a packet to the last byte goes on in the next one, which may be empty.
const fullPacketBytes = 0xff_ffff

/** Puts payloads into packets, one behind the other, numbered from `sequence`. */
export function encodePackets(payloads: readonly Buffer[], sequence: number): Buffer {
  const parts: Buffer[] = []
  let number = sequence
  for (const payload of payloads) {
    for (const piece of pieces(payload)) {
      const head = Buffer.alloc(headBytes)
      head.writeUIntLE(piece.length, 0, 3)
      head.writeUInt8(number & 0xff, 3)
      number += 1
      parts.push(head, piece)
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

/** Cuts a stream of bytes into packets. It is pulled: what is not asked for stays bytes. */
export class PacketReader {
  #bytes: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
  }

  /** The next packet, joined when it was split; undefined when it has not wholly arrived. */
  next(): Packet | undefined {
    const payloads: Buffer[] = []
    for (let at = 0; at + headBytes <= this.#bytes.length; ) {
      const length = this.#bytes.readUIntLE(at, 3)
      const start = at + headBytes
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
