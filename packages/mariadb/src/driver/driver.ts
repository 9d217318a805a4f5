import { type Endpoint, formatEndpoint, HaError, type PoolDriver, systemClock } from '@ha/core'
import {
  AddressDialer,
  OptionCalls,
  openSocket,
  type ProbeAnswer,
  raceAbort,
  sameEndpoint,
  withDeadline,
} from '@ha/core/driver'
import type { HostOptions, ResolvedOptions } from '../options/resolved-options.ts'
import type { MariadbConnection } from './connection.ts'
import { classify, DriverError } from './error-classification.ts'
import { dial, type LoginOptions, type LoginTarget, type SocketFactory } from './login.ts'
import { type MariadbStatus, readServerStatus } from './server-status.ts'
import { initializeSession, readServerZone, resetSession, type SessionProfile } from './session-reset.ts'

/** The options of the driver: credentials, hosts, and the initial state of sessions. */
export type MariadbDriverOptions = LoginOptions & Pick<ResolvedOptions, 'hosts'>

/**
 * A {@link PoolDriver} on single connections of the `mariadb` package over sockets of this package; the package's own
 * pools are not used.
 */
export function mariadbDriver(
  options: MariadbDriverOptions,
  connect: SocketFactory = openSocket,
): PoolDriver<MariadbConnection, MariadbStatus> {
  const profile: SessionProfile = { ...options.session, database: options.database }
  const addresses = new AddressDialer(systemClock)
  const calls = new OptionCalls(systemClock)
  const server = (endpoint: Endpoint, password: string, address?: string): LoginTarget => ({
    options,
    password,
    host: hostOptionsOf(options.hosts, endpoint),
    connect: address === undefined ? connect : (at) => openSocket(at, undefined, address),
  })
  return {
    protocol: 'mariadb',
    async open(endpoint, signal) {
      const password = await calls.read('password', options.password, signal)
      return connect === openSocket
        ? addresses.open(endpoint, signal, (address, inner) =>
            open(server(endpoint, password, address), profile, inner),
          )
        : open(server(endpoint, password), profile, signal)
    },
    waitingFor: () => calls.waitingFor,
    close: (connection) => connection.end(),
    destroy: (connection) => connection.destroy(),
    watch: (connection, report) => connection.watch(report),
    received: (connection) => connection.received,
    probe: (connection, signal) => raceAbort(connection.ping(), signal, ignore),
    async probeEndpoint(endpoint, signal, connection) {
      const password = await calls.read('password', options.password, signal)
      const address = connect === openSocket ? connection?.remoteAddress : undefined
      return probe(server(endpoint, password, address), connection, signal)
    },
    serverOf: (connection) => connection.server,
    classify,
    read: (connection, signal) => raceAbort(readServerStatus(connection), signal, ignore),
    reusable: (connection) => !connection.ended && !connection.busy && !connection.retired,
    renew(connection, signal) {
      if (!connection.dirty && !connection.inTransaction) return undefined
      return raceAbort(resetSession(connection, profile), signal, ignore)
    },
  }
}

async function open(
  server: LoginTarget,
  profile: SessionProfile,
  signal: AbortSignal,
): Promise<MariadbConnection> {
  const connection = await dial(server, signal)
  try {
    await raceAbort(initializeSession(connection, profile), signal, ignore)
    if (profile.timeZone === 'server')
      connection.useZone(await raceAbort(readServerZone(connection), signal, ignore))
    return connection
  } catch (thrown) {
    connection.destroy()
    throw thrown instanceof DriverError ? sessionSetupError(thrown, server.host.endpoint) : thrown
  }
}

// An address that is not in the list was discovered through a listed one; the first host's options apply.
function hostOptionsOf(hosts: readonly HostOptions[], endpoint: Endpoint): HostOptions {
  const host = hosts.find((listed) => sameEndpoint(listed.endpoint, endpoint)) ?? hosts[0]
  if (host === undefined) throw new HaError('config-invalid', 'hosts: expected at least one')
  return { ...host, endpoint }
}

function sessionSetupError(cause: DriverError, endpoint: Endpoint): HaError {
  const details = { endpoint: formatEndpoint(endpoint), serverCode: cause.errno, cause }
  // ER_UNKNOWN_TIME_ZONE: a server knows names of zones only after its tables of zones were loaded.
  const remedy =
    cause.errno === 1298
      ? '; load the zones (mariadb-tzinfo-to-sql), or set session.timeZone to an offset'
      : ''
  const message = `${formatEndpoint(endpoint)}: the session could not be set up: ${cause.message}${remedy}`
  return classify(cause).transient
    ? new HaError('unreachable', message, { ...details, retryable: true })
    : new HaError('refused', message, details)
}

// An aborted login counts as a connect error, and the server blocks a client host after `max_connect_errors` of them;
// so the login is completed. A refused login is an answer as well.
async function probe(
  server: LoginTarget,
  suspected: MariadbConnection | undefined,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  try {
    const connection = await dial(server, signal)
    try {
      const answer = await compareServers(connection, suspected, signal)
      // The connection is destroyed at the latest when the probe times out.
      await raceAbort(connection.end(), signal, ignore)
      return answer
    } finally {
      connection.destroy()
    }
  } catch (thrown) {
    if (!(thrown instanceof HaError) || thrown.serverCode === undefined) throw thrown
    return 'unidentified'
  }
}

// A server that logs a client in and does not say in this time who it is stays unidentified.
const identifyMs = 100

async function compareServers(
  connection: MariadbConnection,
  suspected: MariadbConnection | undefined,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  if (suspected?.server === undefined) return 'unidentified'
  const expired = (): Error => new Error(`no identity within ${identifyMs} ms`)
  const limit = { timeoutMs: identifyMs, signal, expired }
  await withDeadline(systemClock, limit, () => connection.initialize([])).catch(ignore)
  if (connection.server === undefined) return 'unidentified'
  // One server numbers its connections upwards. Servers with default settings may give one identity.
  const isSame = connection.server === suspected.server && connection.threadId > suspected.threadId
  return isSame ? 'same-server' : 'another-server'
}

function ignore(): void {}
