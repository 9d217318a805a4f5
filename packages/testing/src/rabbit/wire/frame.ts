import { MalformedMessage } from '../../server/byte-cursor.ts'
import { binary } from './binary.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { type Method, readMethod, writeMethod } from './method.ts'
import { frameEnd, frameOverheadBytes, frameType } from './protocol.ts'

/** What travels on a connection: one frame, decoded as far as the broker needs it. */
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
export function decodeFrame(type: number, channel: number, payload: Buffer): Frame {
  switch (type) {
    case frameType.method:
      return { kind: 'method', channel, method: readMethod(new ByteReader(payload)) }
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
  const from = new ByteReader(payload)
  const classId = from.short()
  // Two octets named weight, which nobody uses.
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

function framed(type: number, channel: number, payload: (to: ByteWriter) => void): Buffer {
  const to = new ByteWriter()
  to.octet(type)
  to.short(channel)
  to.sized(() => payload(to))
  to.octet(frameEnd)
  return to.take()
}

function writeHeader(to: ByteWriter, header: ContentHeader): void {
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
