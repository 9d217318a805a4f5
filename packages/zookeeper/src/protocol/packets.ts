import type { WatchEvent } from '../node.ts'
import { codec } from './jute.ts'
import type { Request } from './requests.ts'

const requestHeader = codec('RequestHeader')
const replyHeader = codec('ReplyHeader')
const watcherEvent = codec('WatcherEvent')

/** A request as it goes over the wire: length, header, body. */
export function encodeRequest(xid: number, request: Request<unknown>): Buffer {
  return frame(requestHeader.encode({ xid, type: request.opcode }), request.encode())
}

/** Bytes with their length before them. */
function frame(...parts: readonly Buffer[]): Buffer {
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
export function decodeReply(bytes: Buffer): Reply {
  return { ...replyHeader.decode(bytes), body: bytes.subarray(replyHeader.endOf(bytes, 0)) }
}

const eventKinds: ReadonlyMap<number, WatchEvent['kind']> = new Map<number, WatchEvent['kind']>([
  [1, 'created'],
  [2, 'deleted'],
  [3, 'changed'],
  [4, 'children'],
])

/**
 * What happened to a watched node, or undefined for an event of another kind: of the session, of a watch that was
 * removed, or one that nobody knows. Throws `MalformedError`.
 */
export function decodeEvent(body: Buffer): WatchEvent | undefined {
  const { type, path } = watcherEvent.decode(body)
  const kind = eventKinds.get(type)
  return kind === undefined ? undefined : { kind, path }
}

/** What a client says first: which session it wants. */
export interface ConnectRequest {
  /** 0 for a new one. */
  readonly sessionId: bigint
  /** Sixteen bytes: what the server gave with the session, zeros for a new one. */
  readonly password: Buffer
  /** The latest transaction that we have seen: a server that is behind it hangs up. */
  readonly lastZxid: bigint
  /** The session timeout that we ask for, in milliseconds. */
  readonly timeoutMs: number
}

/** What a server answers: a session, or that the one we asked for is over. */
export type ConnectResponse =
  | {
      readonly kind: 'granted'
      readonly sessionId: bigint
      readonly password: Buffer
      readonly timeoutMs: number
    }
  | { readonly kind: 'expired' }

const connectRequest = codec('ConnectRequest')
const connectResponse = codec('ConnectResponse')
const readOnlyFlag = codec('ReadOnlyFlag')

/** The first frame of a connection, with its length. */
export function encodeConnectRequest({ lastZxid, timeoutMs, sessionId, password }: ConnectRequest): Buffer {
  const request = {
    protocolVersion: 0,
    lastZxidSeen: lastZxid,
    timeOut: timeoutMs,
    sessionId,
    passwd: password,
  }
  // A server without a quorum will not do.
  return frame(connectRequest.encode(request), readOnlyFlag.encode({ readOnly: false }))
}

/** Reads the first answer. What newer servers add behind it is not read. Throws `MalformedError`. */
export function decodeConnectResponse(bytes: Buffer): ConnectResponse {
  const { timeOut, sessionId, passwd } = connectResponse.decode(bytes)
  if (timeOut <= 0 || sessionId === 0n) return { kind: 'expired' }
  return { kind: 'granted', sessionId, password: passwd, timeoutMs: timeOut }
}

/** A session as the servers write it, such as `0x100a2b3c4d50000`. */
export function formatSessionId(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`
}
