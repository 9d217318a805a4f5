import { framed } from './frames.ts'
import { JuteReader, JuteWriter } from './records.ts'

/** The first message of a client. */
export interface ConnectRequest {
  readonly lastZxidSeen: bigint
  readonly timeoutMs: number
  /** 0 for a new session. */
  readonly sessionId: bigint
  readonly password: Buffer
  /** Whether the client accepts a read-only server; undefined for an old client without this field. */
  readonly acceptsReadOnly: boolean | undefined
}

/** The server's answer; a timeout of 0 means that the session has expired. */
export interface ConnectResponse {
  readonly timeoutMs: number
  readonly sessionId: bigint
  readonly password: Buffer
}

/** The answer for an expired session. */
export const expiredSession: ConnectResponse = { timeoutMs: 0, sessionId: 0n, password: Buffer.alloc(16) }

export function decodeConnectRequest(body: Buffer): ConnectRequest {
  const reader = new JuteReader(body)
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

/** The answer with its frame. A client that did not send the read-only field does not receive it. */
export function encodeConnectResponse(granted: ConnectResponse, client: ConnectRequest): Buffer {
  const writer = new JuteWriter()
    .int(0)
    .int(granted.timeoutMs)
    .long(granted.sessionId)
    .buffer(granted.password)
  if (client.acceptsReadOnly !== undefined) writer.flag(false)
  return framed(writer.take())
}
