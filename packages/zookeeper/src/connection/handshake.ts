import { deferred, raceAbort } from '@ha/core/driver'
import { MalformedError } from '../protocol/error-codes.ts'
import {
  type ConnectRequest,
  type ConnectResponse,
  decodeConnectResponse,
  encodeConnectRequest,
} from '../protocol/packets.ts'
import type { Frame, Wire } from './wire.ts'

/** What a server granted. */
export interface SessionGrant {
  readonly sessionId: bigint
  /** Proves on the next connection that the session is ours. */
  readonly password: Buffer
  /** How long the session lives without a sign of us, in milliseconds: the server's word, whatever was asked. */
  readonly timeoutMs: number
  /** Whether it is the session that was asked for, and not a new one. */
  readonly resumed: boolean
  /** When the session was asked for, by the clock: the server began to count later. */
  readonly askedAtMs: number
}

/** How a handshake went: a session, or that the one asked for is over. */
export type HandshakeResult =
  | { readonly kind: 'granted'; readonly grant: SessionGrant }
  | { readonly kind: 'expired' }

/** Asks for a session. Rejects with why the wire ended, or with the signal's reason. */
export async function performHandshake(
  wire: Wire,
  request: ConnectRequest,
  signal: AbortSignal,
): Promise<HandshakeResult> {
  const welcomed = deferred<ConnectResponse>()
  wire.listen({
    frame: (frame) => {
      // Reading comes first: where it fails, the end of the wire must still be heard.
      welcomed.resolve(decodeConnectResponse(responseBytes(frame)))
      wire.pause()
    },
    end: (cause) => welcomed.reject(notGrantedError(cause)),
  })
  wire.send(encodeConnectRequest(request))
  const askedAtMs = wire.sentAtMs
  const welcome = await raceAbort(welcomed.promise, signal, () => undefined)
  if (welcome.kind === 'expired') return welcome
  const { sessionId, password, timeoutMs } = welcome
  const resumed = sessionId === request.sessionId
  return { kind: 'granted', grant: { sessionId, password, timeoutMs, resumed, askedAtMs } }
}

function responseBytes({ bytes, wholeBytes }: Frame): Buffer {
  if (wholeBytes === bytes.length) return bytes
  throw new MalformedError(`a frame of ${wholeBytes} bytes as its first: is it a ZooKeeper server?`)
}

// A server that does not want us says so by hanging up, whatever the reason.
function notGrantedError(cause: Error): Error {
  return new Error(`no session was granted (no quorum, no room, or it lags behind us): ${cause.message}`, {
    cause,
  })
}
