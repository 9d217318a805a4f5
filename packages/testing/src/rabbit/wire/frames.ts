import { MalformedMessage } from '../../server/byte-cursor.ts'
import { AmqpReader, AmqpWriter, binary } from './bytes.ts'
import { type Method, type MethodName, readMethod, writeMethod } from './methods.ts'
import { frameEnd, frameOverheadBytes, frameType, minFrameBytes, protocolHeader } from './protocol.ts'

/** One frame, decoded as far as the broker needs it. */
export type Frame =
  | { readonly kind: 'protocol-header'; readonly channel: 0; readonly bytes: Buffer }
  | { readonly kind: 'method'; readonly channel: number; readonly method: Method }
  | ContentHeader
  | ContentBody
  | { readonly kind: 'heartbeat'; readonly channel: number }

/** Announces a message: how long its body is, and its properties as they lie on the wire. */
export interface ContentHeader {
  readonly kind: 'content-header'
  readonly channel: number
  readonly classId: number
  readonly bodyBytes: number
  readonly properties: Buffer
}

/** A piece of the body of the message that was announced before it. */
export interface ContentBody {
  readonly kind: 'content-body'
  readonly channel: number
  readonly bytes: Buffer
}

// Below this a body is copied into one buffer with its frame: cheaper than three pieces in one system call.
const copyBelowBytes = 4096

/** Decodes the payload of one frame. */
function decodeFrame(type: number, channel: number, payload: Buffer): Frame {
  switch (type) {
    case frameType.method:
      return { kind: 'method', channel, method: readMethod(new AmqpReader(payload)) }
    case frameType.header:
      return decodeHeader(channel, payload)
    case frameType.body:
      return { kind: 'content-body', channel, bytes: payload }
    case frameType.heartbeat:
      if (payload.length === 0) return { kind: 'heartbeat', channel }
      throw new MalformedMessage(`type ${type}, all octets = ${binary(payload)}: unknown_frame`)
    default:
      throw new MalformedMessage(`type ${type}, all octets = ${binary(payload)}: unknown_frame`)
  }
}

function decodeHeader(channel: number, payload: Buffer): ContentHeader {
  const from = new AmqpReader(payload)
  const classId = from.short()
  // Two octets named weight, which are unused.
  from.short()
  const bodyBytes = from.longlong()
  return { kind: 'content-header', channel, classId, bodyBytes, properties: from.bytes(from.left) }
}

/** The bytes of one frame; a long body is not copied. */
export function encodeFrame(frame: Frame): readonly Buffer[] {
  switch (frame.kind) {
    case 'protocol-header':
      return [frame.bytes]
    case 'method':
      return [framed(frameType.method, frame.channel, (to) => writeMethod(to, frame.method))]
    case 'content-header':
      return [framed(frameType.header, frame.channel, (to) => writeHeader(to, frame))]
    case 'content-body':
      return encodeBody(frame)
    case 'heartbeat':
      return [framed(frameType.heartbeat, frame.channel, () => undefined)]
  }
}

function framed(type: number, channel: number, payload: (to: AmqpWriter) => void): Buffer {
  const to = new AmqpWriter()
  to.octet(type)
  to.short(channel)
  to.sized(() => payload(to))
  to.octet(frameEnd)
  return to.take()
}

function writeHeader(to: AmqpWriter, header: ContentHeader): void {
  to.short(header.classId)
  to.short(0)
  to.longlong(header.bodyBytes)
  to.raw(header.properties)
}

function encodeBody(frame: ContentBody): readonly Buffer[] {
  const { channel, bytes } = frame
  if (bytes.length < copyBelowBytes) return [framed(frameType.body, channel, (to) => to.raw(bytes))]
  const head = Buffer.alloc(frameOverheadBytes - 1)
  head.writeUInt8(frameType.body, 0)
  head.writeUInt16BE(channel, 1)
  head.writeUInt32BE(bytes.length, 3)
  return [head, bytes, Buffer.of(frameEnd)]
}

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

  /**
   * The next frame, or undefined when it has not wholly arrived. Throws {@link MalformedMessage} at bytes that are
   * none.
   */
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

  // Only when a frame lies across chunks: most frames arrive whole.
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

/** What a frame is called in rules and in the log: its method, or its kind when it carries none. */
export type FrameName = MethodName | Exclude<Frame['kind'], 'method'>

/** The frames that are no methods. */
export const plainFrameNames: readonly FrameName[] = [
  'protocol-header',
  'content-header',
  'content-body',
  'heartbeat',
]

/** The name of a frame. */
export function frameName(frame: Frame): FrameName {
  return frame.kind === 'method' ? frame.method.name : frame.kind
}
