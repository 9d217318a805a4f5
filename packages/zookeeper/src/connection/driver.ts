import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { type Clock, type Driver, type Endpoint, formatEndpoint, isHaError } from '@ha/core'
import {
  AddressDialer,
  asError,
  type Connect,
  connectSocket,
  detachStack,
  probeEndpoint,
  raceAbort,
  withDeadline,
} from '@ha/core/driver'
import { refusalDelay } from '../context.ts'
import { ReplyError } from '../protocol/error-codes.ts'
import type { ConnectRequest } from '../protocol/packets.ts'
import type { AuthInfo } from '../protocol/requests.ts'
import { ZookeeperConnection } from './connection.ts'
import {
  ConnectionError,
  classify,
  dialError,
  expiredError,
  tlsRequiredError,
} from './error-classification.ts'
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
  const refusals = new Refusals(deps.clock)
  const dialer = new Dialer(deps, connect)
  const addresses = new AddressDialer(deps.clock)
  return {
    protocol: 'zookeeper',
    open: (endpoint, signal) =>
      refusals.guard(formatEndpoint(endpoint), () =>
        dial === undefined
          ? addresses.open(endpoint, signal, (address, inner) => dialer.open(endpoint, inner, address))
          : dialer.open(endpoint, signal),
      ),
    close: async (connection) => {
      if (await connection.closeSession()) deps.sessions.sessionExpired(connection.grant.sessionId)
    },
    destroy: (connection) => connection.destroy(),
    watch: (connection, report) => connection.onEnd((error) => report({ kind: 'lost', error })),
    received: (connection) => connection.receivedBytes,
    probe: (connection, signal) => raceAbort(connection.ping(), signal, ignore),
    // A server that does not allow `srvr` answers so, and one over its `maxClientCnxns` ends the connection without a
    // byte (seen on 3.8): both are alive. At another address of the same name another server would answer.
    // No server says who it is before a login, so the answer does not prove which one gave it.
    async probeEndpoint(endpoint, signal) {
      const connect = dial ?? dialer.connectAgain
      await probeEndpoint(endpoint, { tls, request: 'srvr', endIsAnswer: true, connect }, signal)
      return 'unidentified'
    },
    classify,
  }
}

interface Refusal {
  readonly error: Error
  readonly failures: number
  /** By the clock. */
  readonly untilMs: number
}

/**
 * The servers that refuse the logins or the certificate of this client. Each is asked again with growing pauses, up to a
 * minute; in between, a dial fails with the last refusal and without a connection.
 */
class Refusals {
  readonly #clock: Clock
  readonly #byEndpoint = new Map<string, Refusal>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async guard(endpoint: string, open: () => Promise<ZookeeperConnection>): Promise<ZookeeperConnection> {
    const refusal = this.#byEndpoint.get(endpoint)
    if (refusal !== undefined && this.#clock.now() < refusal.untilMs) throw refusal.error
    try {
      const connection = await open()
      connection.onEnd(() => this.#ended(endpoint, connection))
      return connection
    } catch (thrown) {
      if (isHaError(thrown) && refusalCodes.includes(thrown.code)) this.#add(endpoint, thrown)
      throw thrown
    }
  }

  // A server that demands a login grants the session, and ends the connection at the first request.
  #ended(endpoint: string, { loginDemand }: ZookeeperConnection): void {
    if (loginDemand === undefined) this.#byEndpoint.delete(endpoint)
    else this.#add(endpoint, dialError(loginDemand, endpoint))
  }

  #add(endpoint: string, error: Error): void {
    const failures = this.#byEndpoint.get(endpoint)?.failures ?? 0
    // The first one may have passed already: the server is asked again at once.
    const pauseMs = failures === 0 ? 0 : refusalDelay(failures - 1, () => 0)
    const untilMs = this.#clock.now() + pauseMs
    this.#byEndpoint.set(endpoint, { error: detachStack(error), failures: failures + 1, untilMs })
  }
}

const refusalCodes: readonly string[] = ['auth-failed', 'refused']

// How long a server that turned out to speak no TLS is not asked again, and how long it may take to answer.
const plainForMs = 60_000
const tlsAnswerMs = 1_000

/** Opens connections, and remembers which address of a name each one has reached. */
class Dialer {
  readonly #deps: ZookeeperDriverDeps
  readonly #connect: Connect
  readonly #addresses = new Map<string, string>()
  /** When a server was asked whether it speaks TLS, by the clock. */
  readonly #askedAtMs = new Map<string, number>()

  constructor(deps: ZookeeperDriverDeps, connect: Connect) {
    this.#deps = deps
    this.#connect = connect
  }

  /** Connects to the address that the last connection to this endpoint has reached. */
  readonly connectAgain: Connect = (endpoint, signal) =>
    connectSocket(endpoint, this.#deps.tls, signal, this.#addresses.get(formatEndpoint(endpoint)))

  async open(endpoint: Endpoint, signal: AbortSignal, address?: string): Promise<ZookeeperConnection> {
    let stream: Duplex | undefined
    try {
      stream = await (address === undefined
        ? this.#connect(endpoint, signal)
        : connectSocket(endpoint, this.#deps.tls, signal, address))
      if (stream instanceof Socket && stream.remoteAddress !== undefined)
        this.#addresses.set(formatEndpoint(endpoint), stream.remoteAddress)
      return await startConnection(this.#deps, endpoint, stream, signal)
    } catch (thrown) {
      const cause = asError(thrown)
      const isHandshake = stream !== undefined && !isHaError(cause) && !(cause instanceof ReplyError)
      stream?.destroy()
      signal.throwIfAborted()
      const speaksTls = isHandshake && (await this.#speaksTls(endpoint, signal))
      const { tls } = this.#deps
      throw detachStack(
        speaksTls
          ? tlsRequiredError(formatEndpoint(endpoint), cause)
          : dialError(cause, formatEndpoint(endpoint), tls !== undefined && stream === undefined),
      )
    }
  }

  // A port with TLS closes a plain connection without a word that this client would understand.
  async #speaksTls(endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
    const { tls, dial, clock } = this.#deps
    const name = formatEndpoint(endpoint)
    const isAsked = clock.now() - (this.#askedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < plainForMs
    if (tls !== undefined || dial !== undefined || isAsked) return false
    this.#askedAtMs.set(name, clock.now())
    const expired = (): Error => new Error(`no TLS handshake within ${tlsAnswerMs} ms`)
    const limit = { timeoutMs: tlsAnswerMs, signal, expired }
    try {
      const socket = await withDeadline(clock, limit, (until) =>
        connectSocket(endpoint, { rejectUnauthorized: false }, until),
      )
      socket.destroy()
      this.#askedAtMs.delete(name)
      return true
    } catch {
      signal.throwIfAborted()
      return false
    }
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
