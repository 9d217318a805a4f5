import dns from 'node:dns'
import { isIP, connect as netConnect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ConnectionOptions as TlsOptions, connect as tlsConnect } from 'node:tls'
import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import {
  asError,
  describeAttempts,
  detachStack,
  type FailedAttempt,
  HaError,
  isHaError,
} from '../errors/ha-error.ts'
import { linkedController, raceAbort } from '../util/abort.ts'
import type { Clock } from '../util/clock.ts'
import { deferred } from '../util/deferred.ts'

/** Opens a stream to a server, ready to be written to. When the signal fires, nothing stays open. */
export type Connect = (endpoint: Endpoint, signal: AbortSignal) => Promise<Duplex>

// TCP keep-alive, for a peer that vanished while nothing was asked of it.
const keepAliveMs = 10_000

// RFC 8305 recommends 250 ms between the attempts to the addresses of one name.
const addressAttemptMs = 250

/**
 * Begins to connect, over TLS when `tls` is given. Every address of the name is tried in turn. An endpoint with port 0
 * is a local socket: its host is the path.
 */
export function openSocket({ host, port }: Endpoint, tls?: TlsOptions, address: string = host): Socket {
  if (port === 0) return netConnect({ path: host })
  const target = {
    host: address,
    port,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: addressAttemptMs,
  }
  const socket =
    tls === undefined ? netConnect(target) : tlsConnect({ ...serverName(host), ...tls, ...target })
  return socket.setNoDelay(true).setKeepAlive(true, keepAliveMs)
}

// SNI: a proxy in front of several servers chooses by this name. An IP address is not a valid server name.
function serverName(host: string): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {}
}

/** Connects, and completes the TLS handshake when `tls` is given. When the signal fires, nothing stays open. */
export async function connectSocket(
  endpoint: Endpoint,
  tls: TlsOptions | undefined,
  signal: AbortSignal,
  address?: string,
): Promise<Socket> {
  signal.throwIfAborted()
  const socket = openSocket(endpoint, tls, address)
  const ready = deferred()
  socket.once(tls === undefined ? 'connect' : 'secureConnect', () => ready.resolve())
  // This listener stays: an `error` event without a listener ends the process.
  socket.on('error', ready.reject)
  socket.once('close', () => ready.reject(new Error('the connection was closed')))
  try {
    await raceAbort(ready.promise, signal, () => undefined)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

export interface EndpointProbe {
  readonly tls: TlsOptions | undefined
  /** What is written after connecting: a request that a living server answers. */
  readonly request: string | Uint8Array
  /** Whether a server that ends the connection without a byte counts as alive. */
  readonly endIsAnswer: boolean
  /** The only address to ask. Default: all addresses of the name. */
  readonly address?: string | undefined
  /** Replaces TCP and DNS in tests. */
  readonly connect?: Connect | undefined
}

// A name with more addresses than this is probed at the first ones only.
const maxAddresses = 8

/**
 * Asks a server for a first byte on a connection of its own: at one address, or at every address of its name at once,
 * until one answers. Resolves with the first bytes, which are none when the end of the connection was the answer.
 * Rejects with `unreachable`, or with the reason of the signal. No connection stays open.
 */
export async function probeEndpoint(
  endpoint: Endpoint,
  probe: EndpointProbe,
  signal: AbortSignal,
): Promise<Buffer> {
  const scope = linkedController(signal)
  try {
    const streams = await raceAbort(connections(endpoint, probe), scope.signal, () => undefined)
    return await Promise.any(streams.map((connect) => firstBytes(connect, probe, scope.signal)))
  } catch (thrown) {
    throw signal.aborted ? signal.reason : unreachable(endpoint, thrown)
  } finally {
    scope.abort(new HaError('aborted', 'the probe is over'))
  }
}

type Connecting = (signal: AbortSignal) => Promise<Duplex>

async function connections(
  endpoint: Endpoint,
  { tls, connect, address: only }: EndpointProbe,
): Promise<readonly Connecting[]> {
  if (connect !== undefined) return [(signal) => connect(endpoint, signal)]
  const addresses = only === undefined ? await addressesOf(endpoint) : [only]
  return addresses.map((address) => (signal) => connectSocket(endpoint, tls, signal, address))
}

async function addressesOf({ host, port }: Endpoint): Promise<readonly string[]> {
  if (port === 0 || isIP(host) !== 0) return [host]
  // Called as a property: caches of an application replace it there.
  const found = await new Promise<readonly { readonly address: string }[]>((resolve, reject) => {
    dns.lookup(host, { all: true }, (error, addresses) =>
      error === null ? resolve(addresses) : reject(error),
    )
  })
  return found.slice(0, maxAddresses).map(({ address }) => address)
}

async function firstBytes(
  connect: Connecting,
  { request, endIsAnswer }: EndpointProbe,
  signal: AbortSignal,
): Promise<Buffer> {
  const stream = await connect(signal)
  const answered = deferred<Buffer>()
  stream.once('data', answered.resolve)
  if (endIsAnswer) stream.once('end', () => answered.resolve(Buffer.alloc(0)))
  stream.on('error', answered.reject)
  stream.once('close', () => answered.reject(new Error('the server closed the connection without an answer')))
  stream.write(request)
  try {
    return await raceAbort(answered.promise, signal, () => undefined)
  } finally {
    stream.destroy()
  }
}

function unreachable(endpoint: Endpoint, thrown: unknown): HaError {
  const name = formatEndpoint(endpoint)
  const causes = thrown instanceof AggregateError ? thrown.errors.map(asError) : [asError(thrown)]
  const message = `${name}: ${causes.map((cause) => cause.message).join('; ')}`
  const cause = causes.length === 1 ? causes[0] : thrown
  return new HaError('unreachable', message, { endpoint: name, retryable: true, cause })
}

// A server that accepted the connection and is silent for so long is not waited for while its name has other addresses.
// A handshake of a busy server takes some hundred milliseconds.
const addressHandshakeMs = 2_000

/** Opens a connection to an endpoint, at this address of its name; undefined leaves the choice to the socket. */
export type OpenAt<C> = (address: string | undefined, signal: AbortSignal) => Promise<C>

/**
 * Opens connections to names that stand for several addresses: one after the other until a server completes the
 * handshake, beginning with the address that did so last. One that hangs is left after two seconds.
 */
export class AddressDialer {
  readonly #clock: Clock
  /** The address of each name that is tried first. */
  readonly #first = new Map<string, string>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Rejects with the error of the only address, or with what each address answered: `refused` when all of them refused. */
  async open<C>(endpoint: Endpoint, signal: AbortSignal, openAt: OpenAt<C>): Promise<C> {
    const addresses = await this.#addresses(endpoint, signal)
    if (addresses.length < 2) return openAt(undefined, signal)
    const attempts: FailedAttempt[] = []
    for (const [i, address] of addresses.entries()) {
      // When the signal ends this attempt, the next dial begins with the next address.
      this.#first.set(endpoint.host, addresses[(i + 1) % addresses.length] ?? address)
      try {
        const connection = await this.#attempt(address, i === addresses.length - 1, signal, openAt)
        this.#first.set(endpoint.host, address)
        return connection
      } catch (thrown) {
        if (signal.aborted) throw thrown
        const at = formatEndpoint({ ...endpoint, host: address })
        attempts.push({ endpoint: at, error: detachStack(asError(thrown)) })
      }
    }
    throw noAddressAnswered(endpoint, attempts)
  }

  // A name that does not resolve is reported by the socket, as any other failure of a dial.
  async #addresses(endpoint: Endpoint, signal: AbortSignal): Promise<readonly string[]> {
    const found = await raceAbort(
      addressesOf(endpoint).catch(() => []),
      signal,
      () => undefined,
    )
    const addresses = [...new Set(found)]
    const first = Math.max(0, addresses.indexOf(this.#first.get(endpoint.host) ?? ''))
    return [...addresses.slice(first), ...addresses.slice(0, first)]
  }

  async #attempt<C>(address: string, isLast: boolean, signal: AbortSignal, openAt: OpenAt<C>): Promise<C> {
    if (isLast) return openAt(address, signal)
    const scope = linkedController(signal)
    const expired = new HaError('unresponsive', `no complete handshake within ${addressHandshakeMs} ms`, {
      retryable: true,
    })
    const cancel = this.#clock.after(addressHandshakeMs, () => scope.abort(expired))
    try {
      return await openAt(address, scope.signal)
    } finally {
      cancel()
      scope.unlink()
    }
  }
}

function noAddressAnswered(endpoint: Endpoint, attempts: readonly FailedAttempt[]): HaError {
  const name = formatEndpoint(endpoint)
  const said = describeAttempts(attempts, name)
  const cause = attempts.at(-1)?.error
  const isFinal = attempts.every(({ error }) => isHaError(error) && error.code === 'refused')
  const details = {
    endpoint: name,
    attempts,
    cause,
    serverCode: isHaError(cause) ? cause.serverCode : undefined,
  }
  return isFinal
    ? new HaError('refused', `${name}: ${said}`, details)
    : new HaError('unreachable', `${name}: ${said}`, { ...details, retryable: true })
}
