import { type Endpoint, formatEndpoint, HaError, type PoolDriver } from '@ha/core'
import { openSocket, raceAbort, sameEndpoint } from '@ha/core/driver'
import type { HostOptions, ResolvedOptions } from '../options/resolved-options.ts'
import type { MariadbConnection } from './connection.ts'
import { classify, DriverError } from './error-classification.ts'
import { dial, type LoginOptions, type LoginTarget, type SocketFactory } from './login.ts'
import { type MariadbStatus, readServerStatus } from './server-status.ts'
import { initializeSession, resetSession, type SessionProfile } from './session-reset.ts'

/** What the driver needs to know: who we are, where the servers are, and what each session begins with. */
export type MariadbDriverOptions = LoginOptions & Pick<ResolvedOptions, 'hosts'>

/** A {@link PoolDriver} on the bare connection of `mariadb` over our own socket; its pools are never used. */
export function mariadbDriver(
  options: MariadbDriverOptions,
  connect: SocketFactory = openSocket,
): PoolDriver<MariadbConnection, MariadbStatus> {
  const profile: SessionProfile = { ...options.session, database: options.database }
  const server = (endpoint: Endpoint): LoginTarget => ({
    options,
    host: hostOptionsOf(options.hosts, endpoint),
    connect,
  })
  return {
    protocol: 'mariadb',
    open: (endpoint, signal) => open(server(endpoint), profile, signal),
    close: (connection) => connection.end(),
    destroy: (connection) => connection.destroy(),
    watch: (connection, report) => connection.watch(report),
    received: (connection) => connection.received,
    probe: (connection, signal) => raceAbort(connection.ping(), signal, ignore),
    probeEndpoint: (endpoint, signal) => probe(server(endpoint), signal),
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
    return connection
  } catch (thrown) {
    connection.destroy()
    throw thrown instanceof DriverError ? sessionSetupError(thrown, server.host.endpoint) : thrown
  }
}

// An address that nobody listed was found through one that somebody did: it is reached as the first of them is.
function hostOptionsOf(hosts: readonly HostOptions[], endpoint: Endpoint): HostOptions {
  const host = hosts.find((listed) => sameEndpoint(listed.endpoint, endpoint)) ?? hosts[0]
  if (host === undefined) throw new HaError('config-invalid', 'hosts: expected at least one')
  return { ...host, endpoint }
}

function sessionSetupError(cause: DriverError, endpoint: Endpoint): HaError {
  const details = { endpoint: formatEndpoint(endpoint), serverCode: cause.errno, cause }
  const message = `${formatEndpoint(endpoint)}: the session could not be set up: ${cause.message}`
  return classify(cause).transient
    ? new HaError('unreachable', message, { ...details, retryable: true })
    : new HaError('refused', message, details)
}

// A login that is broken off counts against us on the server, which blocks a host after `max_connect_errors` of them:
// so this one goes to its end. A server that refuses it has answered as well.
async function probe(server: LoginTarget, signal: AbortSignal): Promise<void> {
  try {
    const connection = await dial(server, signal)
    // Gone at the latest when the asker no longer waits.
    await raceAbort(connection.end(), signal, ignore).finally(() => connection.destroy())
  } catch (thrown) {
    if (!(thrown instanceof HaError) || thrown.serverCode === undefined) throw thrown
  }
}

function ignore(): void {}
