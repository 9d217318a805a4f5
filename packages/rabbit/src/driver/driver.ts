import { isIP } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import {
  type ConnectionSignal,
  type Driver,
  type Endpoint,
  formatEndpoint,
  HaError,
  systemClock,
} from '@ha/core'
import {
  AddressDialer,
  asError,
  detachStack,
  dialFailureText,
  isCertificateError,
  OptionCalls,
  type OptionSource,
  probeEndpoint,
  raceAbort,
} from '@ha/core/driver'
import { type ChannelModel, connect, credentials, type SocketOptions } from 'amqplib'
import { AmqpConnection } from './connection.ts'
import { classify, requestAtFault } from './error-classification.ts'
import {
  type CloseReason,
  compareServers,
  type Login,
  protocolHeader,
  queryCloseReason,
} from './raw-handshake.ts'

/** Name and password of a user. */
export interface Credentials {
  readonly username: string
  readonly password: string
}

/** The login: functions are called before each dial. */
export interface AmqpDriverOptions extends Pick<Login, 'vhost'> {
  readonly username: OptionSource<string>
  readonly password: OptionSource<string>
  /** Takes the place of both, so that they change together. */
  readonly credentials?: () => Promise<Credentials>
  readonly tls: OptionSource<TlsOptions> | undefined
  /** Default `PLAIN`. */
  readonly mechanism?: 'PLAIN' | 'EXTERNAL'
  /** Seconds; 0 switches heartbeats off. */
  readonly heartbeatSec: number
  /** The name that `rabbitmqctl list_connections` shows. */
  readonly connectionName: string
}

/** A {@link Driver} based on `connect` of amqplib. */
export function amqpDriver(options: AmqpDriverOptions): Driver<AmqpConnection> {
  const addresses = new AddressDialer(systemClock)
  const calls = new OptionCalls(systemClock)
  return {
    protocol: 'amqp',
    async open(endpoint, signal) {
      const login = await resolveLogin(calls, options, signal)
      const { heartbeatSec, connectionName } = options
      return addresses.open(endpoint, signal, (address, inner) =>
        open({ ...login, heartbeatSec, connectionName }, { endpoint, address }, inner),
      )
    },
    waitingFor: () => calls.waitingFor,
    close: async ({ model }) => {
      await model.close()
    },
    destroy: (connection) => connection.destroy(),
    watch: (connection, report: (signal: ConnectionSignal) => void) => connection.watch(report),
    received: ({ stream }) => stream.bytesRead,
    probe,
    async probeEndpoint(endpoint, signal, connection) {
      const address = connection?.stream.remoteAddress
      const tls = await calls.read('tls', options.tls, signal)
      const asked = { tls, request: protocolHeader, endIsAnswer: false, address }
      const answer = await probeEndpoint(endpoint, asked, signal)
      return connection === undefined ? 'unidentified' : compareServers(answer, connection.serverProperties)
    },
    classify,
    requestAtFault,
  }
}

type DialOptions = Omit<AmqpDriverOptions, keyof Login | 'credentials'> & Login

/** A server, and the address of its name that is dialled; undefined leaves the choice to the socket. */
interface DialTarget {
  readonly endpoint: Endpoint
  readonly address: string | undefined
}

async function open(options: DialOptions, target: DialTarget, signal: AbortSignal): Promise<AmqpConnection> {
  const { endpoint } = target
  // The socket keeps this signal for its lifetime; the signal of the dial may fire later for another reason.
  const socketEnd = new AbortController()
  const onAbort = (): void => socketEnd.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const model = await dial(options, target, socketEnd.signal)
    return await openProbeChannel(new AmqpConnection(endpoint, model))
  } catch (thrown) {
    const cause = detachStack(asError(thrown))
    throw detachStack(dialError(cause, await closeReasonOf(cause, options, endpoint, signal), endpoint))
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** What the functions among the options return for this dial. */
async function resolveLogin(
  calls: OptionCalls,
  { username, password, credentials: both, vhost, tls, mechanism = 'PLAIN' }: AmqpDriverOptions,
  signal: AbortSignal,
): Promise<Login> {
  const user =
    both === undefined
      ? {
          username: await calls.read('username', username, signal),
          password: await calls.read('password', password, signal),
        }
      : await calls.read('credentials', both, signal)
  return { ...user, vhost, tls: await calls.read('tls', tls, signal), mechanism }
}

async function openProbeChannel(connection: AmqpConnection): Promise<AmqpConnection> {
  try {
    const pings = await connection.model.createChannel()
    pings.on('error', ignoreChannelError)
    connection.probeChannel = pings
    return connection
  } catch (error) {
    // The caller does not have the connection yet, and cannot destroy it.
    connection.destroy()
    throw error
  }
}

function dial(
  options: DialOptions,
  { endpoint: { host, port }, address }: DialTarget,
  signal: AbortSignal,
): Promise<ChannelModel> {
  const { username, password, vhost, heartbeatSec, tls, connectionName } = options
  const target = {
    protocol: tls === undefined ? 'amqp' : 'amqps',
    hostname: address ?? host,
    port,
    username,
    password,
    vhost: encodeURIComponent(vhost),
    heartbeat: heartbeatSec,
  }
  // Without noDelay, Nagle's algorithm delays the second write of a message of 2 KiB until the ACK of the first.
  // The certificate is that of the name, whichever address is dialled.
  const servername = isIP(host) === 0 ? { servername: host } : {}
  const socket = {
    ...servername,
    ...tls,
    noDelay: true,
    signal,
    clientProperties: { connection_name: connectionName },
    ...(options.mechanism === 'EXTERNAL' && { credentials: credentials.external() }),
  }
  return connect(target, socket as SocketOptions)
}

// Without a listener, an `error` event of the channel would end the connection. The `close` event follows.
function ignoreChannelError(): void {}

// The driver reports these two ends of a handshake by text only, the second without the reply code.
const terminatedByServer = /^Handshake terminated by server: (\d+)/
const vhostRefused = /^Expected ConnectionOpenOk; got <ConnectionClose/

// invalid-path, access-refused, not-allowed: permanent errors.
const finalCodes: readonly number[] = [402, 403, 530]

async function closeReasonOf(
  cause: Error,
  login: Login,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<CloseReason | undefined> {
  const match = terminatedByServer.exec(cause.message)
  if (match !== null) return { code: Number(match[1]), text: cause.message }
  if (!vhostRefused.test(cause.message)) return undefined
  // When the query fails, the next dial will ask again.
  return queryCloseReason(login, endpoint, signal).catch(() => undefined)
}

function dialError(cause: Error, refusal: CloseReason | undefined, endpoint: Endpoint): HaError {
  const details = { endpoint: formatEndpoint(endpoint), serverCode: refusal?.code, cause }
  const text = refusal?.text ?? dialFailureText(cause)
  const isFinal = refusal === undefined ? isCertificateError(cause) : finalCodes.includes(refusal.code)
  return isFinal
    ? new HaError('refused', text, details)
    : new HaError('unreachable', text, { ...details, retryable: true })
}

// Setting the prefetch of a channel without consumers has no effect, and passes the broker's reader and a channel
// process.
async function probe({ probeChannel, closed }: AmqpConnection, signal: AbortSignal): Promise<void> {
  if (probeChannel === undefined || closed.aborted) throw closed.reason
  await raceAbort(probeChannel.prefetch(0), signal, () => undefined)
}
