import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { type Clock, type Driver, type Endpoint, formatEndpoint } from '@ha/core'
import { asError, type Connect, connectSocket, detachStack, probeEndpoint, raceAbort } from '@ha/core/driver'
import type { ConnectRequest } from '../protocol/packets.ts'
import type { AuthInfo } from '../protocol/requests.ts'
import { ZookeeperConnection } from './connection.ts'
import { ConnectionError, classify, dialError, expiredError } from './error-classification.ts'
import { performHandshake, type SessionGrant } from './handshake.ts'
import { type ConnectionLimits, defaultLimits } from './in-flight.ts'
import { Wire } from './wire.ts'

/** The sessions that the connections of the driver carry. */
export interface DriverSessions {
  /** The request of the next handshake: called when a server has been reached. */
  connectRequest(): ConnectRequest
  /** Called as soon as a server has granted a session, also when the rest of the dial then fails. */
  sessionGranted(grant: SessionGrant): void
  /**
   * Called when the servers do not have a session any more: a requested one, before the dial fails, so that the next
   * {@link connectRequest} is for a new session; or one that was closed together with its connection.
   */
  sessionExpired(sessionId: bigint): void
}

/** Dependencies of the driver. */
export interface ZookeeperDriverDeps {
  readonly clock: Clock
  readonly sessions: DriverSessions
  /** The credentials that each connection begins with. Default: none. */
  readonly auth?: readonly AuthInfo[] | undefined
  /** TLS to every server. Default: none. */
  readonly tls?: TlsOptions | undefined
  /** Opens a stream to a server. Default: TCP, or TLS. */
  readonly dial?: Connect | undefined
  readonly limits?: ConnectionLimits | undefined
}

/** A {@link Driver} whose connections carry one session after another, one connection at a time. */
export function zookeeperDriver(deps: ZookeeperDriverDeps): Driver<ZookeeperConnection> {
  const { tls, dial } = deps
  const connect: Connect = dial ?? ((endpoint, signal) => connectSocket(endpoint, tls, signal))
  return {
    protocol: 'zookeeper',
    open: (endpoint, signal) => openConnection(deps, connect, endpoint, signal),
    close: async (connection) => {
      if (await connection.closeSession()) deps.sessions.sessionExpired(connection.grant.sessionId)
    },
    destroy: (connection) => connection.destroy(),
    watch: (connection, report) => connection.onEnd((error) => report({ kind: 'lost', error })),
    received: (connection) => connection.receivedBytes,
    probe: (connection, signal) => raceAbort(connection.ping(), signal, ignore),
    // A server that does not allow `srvr` answers so, and one over its `maxClientCnxns` ends the connection without a
    // byte (seen on 3.8): both are alive.
    probeEndpoint: (endpoint, signal) =>
      probeEndpoint(endpoint, { tls, request: 'srvr', endIsAnswer: true, connect: dial }, signal),
    classify,
  }
}

async function openConnection(
  deps: ZookeeperDriverDeps,
  connect: Connect,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<ZookeeperConnection> {
  let stream: Duplex | undefined
  try {
    stream = await connect(endpoint, signal)
    return await startConnection(deps, endpoint, stream, signal)
  } catch (thrown) {
    stream?.destroy()
    throw signal.aborted ? signal.reason : detachStack(dialError(asError(thrown), formatEndpoint(endpoint)))
  }
}

async function startConnection(
  deps: ZookeeperDriverDeps,
  endpoint: Endpoint,
  stream: Duplex,
  signal: AbortSignal,
): Promise<ZookeeperConnection> {
  const { clock, limits = defaultLimits } = deps
  const wire = new Wire(stream, { clock, maxFrameBytes: limits.maxFrameBytes })
  const request = deps.sessions.connectRequest()
  const result = await performHandshake(wire, request, signal)
  if (result.kind === 'expired') {
    deps.sessions.sessionExpired(request.sessionId)
    throw expiredError(request.sessionId, formatEndpoint(endpoint))
  }
  const { grant } = result
  deps.sessions.sessionGranted(grant)
  const { lastZxid } = request
  const connection = new ZookeeperConnection({ endpoint, wire, clock, grant, lastZxid, limits })
  try {
    await raceAbort(connection.login(deps.auth ?? []), signal, ignore)
    // Without credentials there was no reply to wait for, and an end of the connection in between is found here.
    if (connection.endError !== undefined) throw new ConnectionError('over', 'auth', connection.endError)
    return connection
  } catch (error) {
    connection.destroy()
    throw error
  }
}

function ignore(): void {}
