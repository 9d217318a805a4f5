import { framed } from './frames.ts'
import { ByteReader, ByteWriter } from './records.ts'

/** The first thing that a client says. */
export interface ConnectRequest {
  readonly lastZxidSeen: bigint
  readonly timeoutMs: number
  /** 0 for a new session. */
  readonly sessionId: bigint
  readonly password: Buffer
  /** Whether the client would talk to a server without quorum; undefined for an old one that knows of no such thing. */
  readonly acceptsReadOnly: boolean | undefined
}

/** What a server grants; a timeout of 0 says that the session is over. */
export interface ConnectResponse {
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Buffer
}

/** How a server says that a session is over. */
export const expiredSession: ConnectResponse = { timeoutMs: 0, sessionId: 0n, password: Buffer.alloc(16) }

export function decodeConnectRequest(body: Buffer): ConnectRequest {
  const reader = new ByteReader(body)
  // The version of the protocol: there is only one.
  reader.int()
  return {
    lastZxidSeen: reader.long(),
    timeoutMs: reader.int(),
    sessionId: reader.long(),
    password: reader.buffer() ?? Buffer.alloc(0),
    acceptsReadOnly: reader.left > 0 ? reader.flag() : undefined,
  }
}

/** The answer, with its frame. Who did not speak of read-only servers is not told of them. */
export function encodeConnectResponse(granted: ConnectResponse, client: ConnectRequest): Buffer {
  const writer = new ByteWriter()
    .int(0)
    .int(granted.timeoutMs)
    .long(granted.sessionId)
    .buffer(granted.password)
  if (client.acceptsReadOnly !== undefined) writer.flag(false)
  return framed(writer.take())
}
