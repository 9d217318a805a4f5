import { deferred, raceAbort } from '@ha/core/driver'
import { decodeWelcome, encodeHello, type Hello, type Welcome } from '../driver/greeting.ts'
import { MalformedError } from '../driver/malformed.ts'
import type { Frame } from './frames.ts'
import type { Wire } from './wire.ts'

/** What a server granted. */
export interface Granted {
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
export type Greeted = { readonly kind: 'granted'; readonly granted: Granted } | { readonly kind: 'expired' }

/** Asks for a session. Rejects with why the wire ended, or with the signal's reason. */
export async function shakeHands(wire: Wire, hello: Hello, signal: AbortSignal): Promise<Greeted> {
  const welcomed = deferred<Welcome>()
  wire.hear({
    frame: (frame) => {
      // Reading comes first: where it fails, the end of the wire must still be heard.
      welcomed.resolve(decodeWelcome(welcomeIn(frame)))
      wire.pause()
    },
    end: (cause) => welcomed.reject(notGranted(cause)),
  })
  wire.send(encodeHello(hello))
  const askedAtMs = wire.sentAtMs
  const welcome = await raceAbort(welcomed.promise, signal, () => undefined)
  if (welcome.kind === 'expired') return welcome
  const { sessionId, password, timeoutMs } = welcome
  const resumed = sessionId === hello.sessionId
  return { kind: 'granted', granted: { sessionId, password, timeoutMs, resumed, askedAtMs } }
}

function welcomeIn({ bytes, wholeBytes }: Frame): Buffer {
  if (wholeBytes === bytes.length) return bytes
  throw new MalformedError(`a frame of ${wholeBytes} bytes as its first: is it a ZooKeeper server?`)
}

// A server that does not want us says so by hanging up, whatever the reason.
function notGranted(cause: Error): Error {
  return new Error(`no session was granted (no quorum, no room, or it lags behind us): ${cause.message}`, {
    cause,
  })
}
