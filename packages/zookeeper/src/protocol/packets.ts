import type { WatchEvent } from '../node.ts'
import { codec } from './jute.ts'
import type { Request } from './requests.ts'

const requestHeader = codec('RequestHeader')
const replyHeader = codec('ReplyHeader')
const watcherEvent = codec('WatcherEvent')

/** Encodes a packet: length, header, body. */
export function encodeRequest(xid: number, request: Request<unknown>): Buffer {
  return frame(requestHeader.encode({ xid, type: request.opcode }), request.encode())
}

/** Bytes with their length before them. */
function frame(...parts: readonly Buffer[]): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(parts.reduce((sum, part) => sum + part.length, 0))
  return Buffer.concat([length, ...parts])
}

/** A packet of a server, without its length. */
export interface Reply {
  readonly xid: number
  /** The zxid of the server's latest transaction; 0 or less when the reply has none. */
  readonly zxid: bigint
  /** 0 for success. */
  readonly err: number
  readonly body: Buffer
}

/** Decodes the header of a packet. Throws `MalformedError`. */
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
 * Decodes a watch event; undefined for events of the session, of removed watches, and of unknown types. Throws
 * `MalformedError`.
 */
export function decodeEvent(body: Buffer): WatchEvent | undefined {
  const { type, path } = watcherEvent.decode(body)
  const kind = eventKinds.get(type)
  return kind === undefined ? undefined : { kind, path }
}

/** The first packet of a connection: which session the client requests. */
export interface ConnectRequest {
  /** 0 for a new session. */
  readonly sessionId: bigint
  /** Sixteen bytes: the password that was granted with the session, zeros for a new one. */
  readonly password: Buffer
  /** The highest zxid that the client has seen: a server that is behind it closes the connection. */
  readonly lastZxid: bigint
  /** The requested session timeout, in milliseconds. */
  readonly timeoutMs: number
}

/** The first reply: a session, or that the requested one has expired. */
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

/** Encodes the first packet of a connection, with its length. */
export function encodeConnectRequest({ lastZxid, timeoutMs, sessionId, password }: ConnectRequest): Buffer {
  const request = {
    protocolVersion: 0,
    lastZxidSeen: lastZxid,
    timeOut: timeoutMs,
    sessionId,
    passwd: password,
  }
  // A server without a quorum is not accepted.
  return frame(connectRequest.encode(request), readOnlyFlag.encode({ readOnly: false }))
}

/** Decodes the first reply. Fields that newer servers append are ignored. Throws `MalformedError`. */
export function decodeConnectResponse(bytes: Buffer): ConnectResponse {
  const { timeOut, sessionId, passwd } = connectResponse.decode(bytes)
  if (timeOut <= 0 || sessionId === 0n) return { kind: 'expired' }
  return { kind: 'granted', sessionId, password: passwd, timeoutMs: timeOut }
}

/** A session id as the servers write it, such as `0x100a2b3c4d50000`. */
export function formatSessionId(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`
}
