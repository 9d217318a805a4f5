import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import {
  abandonable,
  asError,
  type Driver,
  type Endpoint,
  formatEndpoint,
  gate,
  HaError,
  type Signal,
} from '@ha/core'
import { type ChannelModel, connect, type SocketOptions } from 'amqplib'
import { AmqpConnection } from './connection.ts'
import { classify } from './verdicts.ts'

export interface AmqpDriverOptions {
  readonly username: string
  readonly password: string
  readonly vhost: string
  /** Seconds; 0 switches heartbeats off. */
  readonly heartbeatSec: number
  readonly tls: TlsOptions | undefined
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
    watch: (connection, report: (signal: Signal) => void) => connection.watch(report),
    received: ({ stream }) => stream.bytesRead,
    probe,
    knock: (endpoint, signal) => knock(options, endpoint, signal),
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
    const connection = new AmqpConnection(endpoint, model)
    const pings = await model.createChannel()
    pings.on('error', ignoreChannelError)
    connection.pings = pings
    return connection
  } catch (thrown) {
    throw dialError(asError(thrown), endpoint)
  } finally {
    signal.removeEventListener('abort', onAbort)
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

// Two ends of a handshake that the driver tells by text alone.
const saidNo = /^Handshake terminated by server: (\d+)|^Expected ConnectionOpenOk; got <ConnectionClose/

function dialError(cause: Error, endpoint: Endpoint): HaError {
  const at = formatEndpoint(endpoint)
  const no = saidNo.exec(cause.message)
  if (no === null && !isCertificateError(cause)) {
    return new HaError('unreachable', cause.message, { endpoint: at, cause, retryable: true })
  }
  const serverCode = no?.[1] === undefined ? undefined : Number(no[1])
  const said = no !== null && serverCode === undefined ? 'the virtual host was refused' : cause.message
  return new HaError('refused', said, { endpoint: at, serverCode, cause })
}

function isCertificateError(error: Error): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)
}

// Setting the prefetch of a channel that never consumes changes nothing, and goes through the broker's reader,
// a channel process and back.
async function probe({ pings, over }: AmqpConnection, signal: AbortSignal): Promise<void> {
  if (pings === undefined || over.aborted) throw over.reason
  await abandonable(pings.prefetch(0), signal, () => undefined)
}

const protocolHeader = Buffer.from('AMQP\0\0\x09\x01', 'latin1')

// A living broker answers the protocol header with connection.start; the first byte is enough.
async function knock(
  { tls }: AmqpDriverOptions,
  { host, port }: Endpoint,
  signal: AbortSignal,
): Promise<void> {
  const socket: Socket = tls === undefined ? connectPlain({ host, port }) : connectTls({ ...tls, host, port })
  const answered = gate()
  socket.once(tls === undefined ? 'connect' : 'secureConnect', () => socket.write(protocolHeader))
  socket.once('data', () => answered.resolve())
  socket.once('close', () =>
    answered.reject(new HaError('lost', `${formatEndpoint({ host, port })} hung up`)),
  )
  socket.on('error', answered.reject)
  try {
    await abandonable(answered.promise, signal, () => undefined)
  } finally {
    socket.destroy()
  }
}
