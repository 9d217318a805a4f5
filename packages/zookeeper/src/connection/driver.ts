import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { type Clock, type Driver, type Endpoint, formatEndpoint } from '@ha/core'
import { asError, detachStack, raceAbort } from '@ha/core/driver'
import type { Hello } from '../driver/greeting.ts'
import { ZookeeperConnection } from './connection.ts'
import { ConnectionError } from './connection-error.ts'
import { dialError, expiredError } from './dial-error.ts'
import { type Granted, shakeHands } from './handshake.ts'
import { knock } from './knock.ts'
import { type ConnectionLimits, defaultLimits } from './limits.ts'
import type { Login } from './login.ts'
import { type Dial, socketDial } from './socket.ts'
import { classify } from './verdicts.ts'
import { Wire } from './wire.ts'

/** What the driver needs to know: whose sessions they are, and how servers are reached. */
export interface ZookeeperDriverParts {
  readonly clock: Clock
  /** Asked when a server has been reached: which session is wanted. */
  readonly hello: () => Hello
  /** The names that each connection begins with. Default: none. */
  readonly auth?: (() => readonly Login[]) | undefined
  /** Told at once of what a server granted, also when the rest of the dial then fails: the session is there. */
  readonly onGranted: (granted: Granted) => void
  /**
   * Told that the servers do not have a session any more: one that was asked for, before the dial fails, so that the next
   * {@link hello} wants another; or one that was ended with its connection.
   */
  readonly onGone: (sessionId: bigint) => void
  /** TLS to every server. Default: none. */
  readonly tls?: TlsOptions | undefined
  /** How a stream is opened. Default: TCP, or TLS. */
  readonly dial?: Dial | undefined
  readonly limits?: ConnectionLimits | undefined
}

/** A {@link Driver} whose connections take turns in carrying one session. */
export function zookeeperDriver(parts: ZookeeperDriverParts): Driver<ZookeeperConnection> {
  const dial = parts.dial ?? socketDial(parts.tls)
  return {
    protocol: 'zookeeper',
    open: (endpoint, signal) => open(parts, dial, endpoint, signal),
    close: async (connection) => {
      if (await connection.end()) parts.onGone(connection.granted.sessionId)
    },
    destroy: (connection) => connection.destroy(),
    watch: (connection, report) => connection.onEnd((error) => report({ kind: 'lost', error })),
    received: (connection) => connection.receivedBytes,
    probe: (connection, signal) => raceAbort(connection.ping(), signal, ignore),
    probeEndpoint: (endpoint, signal) => knock(dial, endpoint, signal),
    classify,
  }
}

async function open(
  parts: ZookeeperDriverParts,
  dial: Dial,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<ZookeeperConnection> {
  let stream: Duplex | undefined
  try {
    stream = await dial(endpoint, signal)
    return await begin(parts, endpoint, stream, signal)
  } catch (thrown) {
    stream?.destroy()
    throw signal.aborted ? signal.reason : detachStack(dialError(asError(thrown), formatEndpoint(endpoint)))
  }
}

async function begin(
  parts: ZookeeperDriverParts,
  endpoint: Endpoint,
  stream: Duplex,
  signal: AbortSignal,
): Promise<ZookeeperConnection> {
  const { clock, limits = defaultLimits } = parts
  const wire = new Wire(stream, { clock, maxFrameBytes: limits.maxFrameBytes })
  const hello = parts.hello()
  const greeted = await shakeHands(wire, hello, signal)
  if (greeted.kind === 'expired') {
    parts.onGone(hello.sessionId)
    throw expiredError(hello.sessionId, formatEndpoint(endpoint))
  }
  const { granted } = greeted
  parts.onGranted(granted)
  const { lastZxid } = hello
  const connection = new ZookeeperConnection({ endpoint, wire, clock, granted, lastZxid, limits })
  try {
    await raceAbort(connection.login(parts.auth?.() ?? []), signal, ignore)
    // With nothing to wait for, nobody would have heard of an end.
    if (connection.over !== undefined) throw new ConnectionError('over', 'auth', connection.over)
    return connection
  } catch (error) {
    connection.destroy()
    throw error
  }
}

function ignore(): void {}
