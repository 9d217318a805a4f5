import { MalformedMessage } from '../../server/byte-cursor.ts'
import { decodeFrame, type Frame } from './frame.ts'
import { frameEnd, frameOverheadBytes, minFrameBytes, protocolHeader } from './protocol.ts'

const headBytes = frameOverheadBytes - 1

/** Cuts a stream of bytes into frames. It is pulled: what is not asked for stays bytes. */
export class FrameReader {
  #chunks: Buffer[] = []
  #held = 0
  #expectsProtocolHeader = true
  #maxFrameBytes = minFrameBytes

  /** Sets how long a frame may be, all its bytes counted; 4096 until the peers have agreed. */
  allow(maxFrameBytes: number): void {
    this.#maxFrameBytes = maxFrameBytes
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#held += chunk.length
  }

  /** The next frame, or undefined when it has not wholly arrived. Throws {@link MalformedMessage} at bytes that are none. */
  next(): Frame | undefined {
    return this.#expectsProtocolHeader ? this.#protocolHeader() : this.#frame()
  }

  #protocolHeader(): Frame | undefined {
    if (this.#held < protocolHeader.length) return undefined
    this.#expectsProtocolHeader = false
    return { kind: 'protocol-header', channel: 0, bytes: this.#take(protocolHeader.length) }
  }

  #frame(): Frame | undefined {
    if (this.#held < headBytes) return undefined
    const head = this.#peek(headBytes)
    const type = head.readUInt8(0)
    const payloadBytes = head.readUInt32BE(3)
    const allowed = this.#maxFrameBytes - frameOverheadBytes
    if (payloadBytes > allowed) {
      throw new MalformedMessage(
        `type ${type}, all octets = <<>>: {frame_too_large,${payloadBytes},${allowed}}`,
      )
    }
    if (this.#held < payloadBytes + frameOverheadBytes) return undefined
    const bytes = this.#take(payloadBytes + frameOverheadBytes)
    const payload = bytes.subarray(headBytes, headBytes + payloadBytes)
    checkEnd(type, payload, bytes[headBytes + payloadBytes])
    return decodeFrame(type, bytes.readUInt16BE(1), payload)
  }

  #peek(count: number): Buffer {
    const [first] = this.#chunks
    return first !== undefined && first.length >= count ? first : this.#join()
  }

  #take(count: number): Buffer {
    const bytes = this.#peek(count)
    this.#held -= count
    if (bytes.length === count) this.#chunks.shift()
    else this.#chunks[0] = bytes.subarray(count)
    return bytes.subarray(0, count)
  }

  // Only when a frame lies across chunks: most frames come whole.
  #join(): Buffer {
    const joined = Buffer.concat(this.#chunks)
    this.#chunks = [joined]
    return joined
  }
}

function checkEnd(type: number, payload: Buffer, end: number | undefined): void {
  if (end === frameEnd) return
  const octets = [...payload.subarray(0, 32)].join(',')
  throw new MalformedMessage(`type ${type}, all octets = <<${octets}>>: {invalid_frame_end_marker,${end}}`)
}
