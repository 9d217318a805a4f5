import { type ConnectionSignal, type Driver, type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, detachStack, isCertificateError, raceAbort } from '@ha/core/driver'
import { type ChannelModel, connect, type SocketOptions } from 'amqplib'
import { AmqpConnection } from './connection.ts'
import { classify } from './error-classification.ts'
import { type CloseReason, type Login, queryCloseReason, rawHandshake } from './raw-handshake.ts'

export interface AmqpDriverOptions extends Login {
  /** Seconds; 0 switches heartbeats off. */
  readonly heartbeatSec: number
  /** The name that `rabbitmqctl list_connections` shows. */
  readonly connectionName: string
}

/** A {@link Driver} on amqplib's bare `connect`; its own recovery is never used. */
export function amqpDriver(options: AmqpDriverOptions): Driver<AmqpConnection> {
  return {
    protocol: 'amqp',
    open: (endpoint, signal) => open(options, endpoint, signal),
    close: async ({ model }) => {
      await model.close()
    },
    destroy: (connection) => connection.destroy(),
    watch: (connection, report: (signal: ConnectionSignal) => void) => connection.watch(report),
    received: ({ stream }) => stream.bytesRead,
    probe,
    probeEndpoint: (endpoint, signal) => probeEndpoint(options, endpoint, signal),
    classify,
  }
}

async function open(
  options: AmqpDriverOptions,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<AmqpConnection> {
  // The socket keeps this signal for its whole life; the dial's own may fire later for other reasons.
  const socketEnd = new AbortController()
  const onAbort = (): void => socketEnd.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const model = await dial(options, endpoint, socketEnd.signal)
    return await openProbeChannel(new AmqpConnection(endpoint, model))
  } catch (thrown) {
    const cause = detachStack(asError(thrown))
    throw detachStack(dialError(cause, await closeReasonOf(cause, options, endpoint, signal), endpoint))
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function openProbeChannel(connection: AmqpConnection): Promise<AmqpConnection> {
  try {
    const pings = await connection.model.createChannel()
    pings.on('error', ignoreChannelError)
    connection.probeChannel = pings
    return connection
  } catch (error) {
    // Nobody else knows of it yet.
    connection.destroy()
    throw error
  }
}

function dial(
  options: AmqpDriverOptions,
  { host, port }: Endpoint,
  signal: AbortSignal,
): Promise<ChannelModel> {
  const { username, password, vhost, heartbeatSec, tls, connectionName } = options
  const target = {
    protocol: tls === undefined ? 'amqp' : 'amqps',
    hostname: host,
    port,
    username,
    password,
    vhost: encodeURIComponent(vhost),
    heartbeat: heartbeatSec,
  }
  // The driver's default leaves Nagle on: a message of 2 KiB goes out in two writes, the second waits for an ACK.
  const socket = { ...tls, noDelay: true, signal, clientProperties: { connection_name: connectionName } }
  return connect(target, socket as SocketOptions)
}

// The `close` event that follows tells the story; this keeps it from ending the whole connection.
function ignoreChannelError(): void {}

// Two ends of a handshake that the driver tells by text alone, the second without its code.
const terminatedByServer = /^Handshake terminated by server: (\d+)/
const vhostRefused = /^Expected ConnectionOpenOk; got <ConnectionClose/

// No such virtual host, no access, not allowed: what waiting does not cure.
const finalCodes: readonly number[] = [402, 403, 530]

async function closeReasonOf(
  cause: Error,
  options: AmqpDriverOptions,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<CloseReason | undefined> {
  const told = terminatedByServer.exec(cause.message)
  if (told !== null) return { code: Number(told[1]), text: cause.message }
  if (!vhostRefused.test(cause.message)) return undefined
  // Who cannot be asked once more is asked again with the next dial.
  return queryCloseReason(options, endpoint, signal).catch(() => undefined)
}

function dialError(cause: Error, refusal: CloseReason | undefined, endpoint: Endpoint): HaError {
  const details = { endpoint: formatEndpoint(endpoint), serverCode: refusal?.code, cause }
  const text = refusal?.text ?? cause.message
  const isFinal = refusal === undefined ? isCertificateError(cause) : finalCodes.includes(refusal.code)
  return isFinal
    ? new HaError('refused', text, details)
    : new HaError('unreachable', text, { ...details, retryable: true })
}

// Setting the prefetch of a channel that never consumes changes nothing, and goes through the broker's reader,
// a channel process and back.
async function probe(
  { probeChannel: pings, closed: over }: AmqpConnection,
  signal: AbortSignal,
): Promise<void> {
  if (pings === undefined || over.aborted) throw over.reason
  await raceAbort(pings.prefetch(0), signal, () => undefined)
}

// A living broker answers the protocol header with connection.start; the first byte is enough.
function probeEndpoint({ tls }: AmqpDriverOptions, endpoint: Endpoint, signal: AbortSignal): Promise<void> {
  return rawHandshake(endpoint, tls, (_, { finish: end }) => end(), signal)
}
