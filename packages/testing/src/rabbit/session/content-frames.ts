import type { Frame } from '../wire/frame.ts'
import type { Method } from '../wire/method.ts'
import { basicClassId, frameOverheadBytes } from '../wire/protocol.ts'
import type { Content } from './assembly.ts'

/** The frames of a method and of the message behind it, none longer than the peers have agreed. */
export function framesOf(
  channel: number,
  method: Method,
  content: Content | undefined,
  frameMaxBytes: number,
): readonly Frame[] {
  const first: Frame = { kind: 'method', channel, method }
  if (content === undefined) return [first]
  const { properties, bodyBytes, body } = content
  const header: Frame = { kind: 'content-header', channel, classId: basicClassId, bodyBytes, properties }
  const pieces = body.flatMap((bytes) => piecesOf(bytes, frameMaxBytes - frameOverheadBytes))
  return [first, header, ...pieces.map((bytes): Frame => ({ kind: 'content-body', channel, bytes }))]
}

function piecesOf(bytes: Buffer, maxBytes: number): readonly Buffer[] {
  if (bytes.length <= maxBytes) return [bytes]
  const count = Math.ceil(bytes.length / maxBytes)
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * maxBytes, (i + 1) * maxBytes))
}
