import { connect as connectPlain, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, deferred, raceAbort } from '@ha/core/driver'

/**
 * Opens a stream to a server, ready to be written to; under TLS after its handshake. When the signal fires, nothing
 * stays open.
 */
export type Dial = (endpoint: Endpoint, signal: AbortSignal) => Promise<Duplex>

// TCP's own, for a peer that vanished without a word.
const keepAliveMs = 10_000

/** Dials over TCP, or over TLS when there are options for it. */
export function socketDial(tls: TlsOptions | undefined): Dial {
  return async (endpoint, signal) => {
    const socket = openSocket(endpoint, tls)
    const ready = deferred<Duplex>()
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => ready.resolve(socket))
    // Stays: an `error` that nobody listens to would end the process.
    socket.on('error', ready.reject)
    socket.once('close', () => ready.reject(new Error('the connection was closed')))
    try {
      return await raceAbort(ready.promise, signal, () => undefined)
    } catch (error) {
      socket.destroy()
      throw error
    }
  }
}

function openSocket({ host, port }: Endpoint, tls: TlsOptions | undefined): Socket {
  const socket =
    tls === undefined ? connectPlain({ host, port }) : connectTls({ ...serverName(host), ...tls, host, port })
  return socket.setNoDelay(true).setKeepAlive(true, keepAliveMs)
}

// Each server is asked for by its own name; one that is dialled by its address has none.
function serverName(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {}
}

/**
 * Asks a server for any byte, on a connection of its own, with the question that servers answer unless told otherwise.
 * One that does not allow it says so, and one over its `maxClientCnxns` hangs up without a word (seen on 3.8): both
 * live. Leaves nothing open.
 */
export async function probeEndpoint(dial: Dial, endpoint: Endpoint, signal: AbortSignal): Promise<void> {
  const stream = await dial(endpoint, signal)
  const answered = deferred()
  stream.once('data', () => answered.resolve())
  stream.once('end', () => answered.resolve())
  stream.on('error', answered.reject)
  stream.once('close', () => answered.reject(new Error('the connection was closed')))
  stream.write('srvr')
  try {
    await raceAbort(answered.promise, signal, () => undefined)
  } catch (thrown) {
    throw signal.aborted ? signal.reason : unreachableError(asError(thrown), formatEndpoint(endpoint))
  } finally {
    stream.destroy()
  }
}

function unreachableError(cause: Error, endpoint: string): HaError {
  return new HaError('unreachable', `${endpoint}: ${cause.message}`, { endpoint, retryable: true, cause })
}
