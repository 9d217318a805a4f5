import { deferred, raceAbort } from '@ha/core/driver'
import { MalformedError } from '../protocol/error-codes.ts'
import {
  type ConnectRequest,
  type ConnectResponse,
  decodeConnectResponse,
  encodeConnectRequest,
} from '../protocol/packets.ts'
import type { Frame, Wire } from './wire.ts'

/** A session as a server granted it. */
export interface SessionGrant {
  readonly sessionId: bigint
  /** Proves on the next connection that the session is this client's. */
  readonly password: Buffer
  /**
   * How long the session lives without a request of the client, in milliseconds. The server decides, whatever was
   * requested.
   */
  readonly timeoutMs: number
  /** Whether it is the requested session, and not a new one. */
  readonly resumed: boolean
  /** The clock time of the request: the server began to count later. */
  readonly askedAtMs: number
}

/** The result of a handshake: a session, or that the requested one has expired. */
export type HandshakeResult =
  | { readonly kind: 'granted'; readonly grant: SessionGrant }
  | { readonly kind: 'expired' }

/** Requests a session. Rejects with the error that the wire ended with, or with the signal's reason. */
export async function performHandshake(
  wire: Wire,
  request: ConnectRequest,
  signal: AbortSignal,
): Promise<HandshakeResult> {
  const response = deferred<ConnectResponse>()
  wire.listen({
    frame: (frame) => {
      // Decoding comes first: if it fails, the listener must still receive the end of the wire.
      response.resolve(decodeConnectResponse(responseBytes(frame)))
      wire.pause()
    },
    end: (cause) => response.reject(notGrantedError(cause)),
  })
  wire.send(encodeConnectRequest(request))
  const askedAtMs = wire.sentAtMs
  const connected = await raceAbort(response.promise, signal, () => undefined)
  if (connected.kind === 'expired') return connected
  const { sessionId, password, timeoutMs } = connected
  const resumed = sessionId === request.sessionId
  return { kind: 'granted', grant: { sessionId, password, timeoutMs, resumed, askedAtMs } }
}

function responseBytes({ bytes, wholeBytes }: Frame): Buffer {
  if (wholeBytes === bytes.length) return bytes
  throw new MalformedError(`a frame of ${wholeBytes} bytes as the first one: is it a ZooKeeper server?`)
}

// A server that does not accept the client closes the connection, whatever the reason.
function notGrantedError(cause: Error): Error {
  return new Error(
    `no session was granted (no quorum, too many connections, or the server is behind): ${cause.message}`,
    {
      cause,
    },
  )
}
