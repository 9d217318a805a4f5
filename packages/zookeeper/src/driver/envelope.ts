import type { WatchEvent } from '../node.ts'
import { codec } from './codec.ts'
import type { Request } from './request.ts'

const requestHeader = codec('RequestHeader')
const replyHeader = codec('ReplyHeader')
const watcherEvent = codec('WatcherEvent')

/** A request as it goes over the wire: length, header, body. */
export function requestFrame(xid: number, request: Request<unknown>): Buffer {
  return frame(requestHeader.encode({ xid, type: request.opcode }), request.encode())
}

/** Bytes with their length before them. */
export function frame(...parts: readonly Buffer[]): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(parts.reduce((sum, part) => sum + part.length, 0))
  return Buffer.concat([length, ...parts])
}

/** What a server sent, without its length. */
export interface Reply {
  readonly xid: number
  /** The latest transaction that the server had done; 0 or less where it does not say. */
  readonly zxid: bigint
  /** 0 for yes. */
  readonly err: number
  readonly body: Buffer
}

/** Opens a frame. Throws `MalformedError`. */
export function readReply(bytes: Buffer): Reply {
  return { ...replyHeader.decode(bytes), body: bytes.subarray(replyHeader.endOf(bytes, 0)) }
}

const kinds: ReadonlyMap<number, WatchEvent['kind']> = new Map<number, WatchEvent['kind']>([
  [1, 'created'],
  [2, 'deleted'],
  [3, 'changed'],
  [4, 'children'],
])

/**
 * What happened to a watched node, or undefined for an event of another kind: of the session, of a watch that was
 * removed, or one that nobody knows. Throws `MalformedError`.
 */
export function readEvent(body: Buffer): WatchEvent | undefined {
  const { type, path } = watcherEvent.decode(body)
  const kind = kinds.get(type)
  return kind === undefined ? undefined : { kind, path }
}
