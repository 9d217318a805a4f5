import { codec } from './codec.ts'
import { frame } from './envelope.ts'

/** What a client says first: which session it wants. */
export interface Hello {
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
export type Welcome =
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
export function encodeHello({ lastZxid, timeoutMs, sessionId, password }: Hello): Buffer {
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
export function decodeWelcome(bytes: Buffer): Welcome {
  const { timeOut, sessionId, passwd } = connectResponse.decode(bytes)
  if (timeOut <= 0 || sessionId === 0n) return { kind: 'expired' }
  return { kind: 'granted', sessionId, password: passwd, timeoutMs: timeOut }
}
