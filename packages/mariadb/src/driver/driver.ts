import { type Endpoint, formatEndpoint, HaError, type PoolDriver } from '@ha/core'
import { raceAbort, sameEndpoint } from '@ha/core/driver'
import type { HostOptions, ResolvedOptions } from '../options/resolved.ts'
import type { MariadbConnection } from './connection.ts'
import { dial } from './dial.ts'
import { DriverError } from './driver-error.ts'
import type { LoginOptions } from './login-config.ts'
import type { Profile } from './profile.ts'
import { readServer } from './read-server.ts'
import type { Reading } from './reading.ts'
import { beginSession, renewSession } from './session.ts'
import { classify } from './verdicts.ts'

/** What the driver needs to know: who we are, where the servers are, and what each session begins with. */
export type MariadbDriverOptions = LoginOptions & Pick<ResolvedOptions, 'hosts'>

/** A {@link PoolDriver} on the bare connection of `mariadb` over our own socket; its pools are never used. */
export function mariadbDriver(options: MariadbDriverOptions): PoolDriver<MariadbConnection, Reading> {
  const profile: Profile = { ...options.session, database: options.database }
  return {
    protocol: 'mariadb',
    open: (endpoint, signal) => open(options, profile, endpoint, signal),
    close: (connection) => connection.end(),
    destroy: (connection) => connection.destroy(),
    watch: (connection, report) => connection.watch(report),
    received: (connection) => connection.received,
    probe: (connection, signal) => raceAbort(connection.ping(), signal, ignore),
    probeEndpoint: (endpoint, signal) => knock(options, endpoint, signal),
    classify,
    read: (connection, signal) => raceAbort(readServer(connection), signal, ignore),
    reusable: (connection) => !connection.over && !connection.busy && !connection.spoilt,
    renew: (connection, signal) => {
      const renewal = renewSession(connection, profile)
      return renewal === undefined ? undefined : raceAbort(renewal, signal, ignore)
    },
  }
}

async function open(
  options: MariadbDriverOptions,
  profile: Profile,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<MariadbConnection> {
  const connection = await dial(options, hostAt(options.hosts, endpoint), signal)
  try {
    await raceAbort(beginSession(connection, profile), signal, ignore)
    return connection
  } catch (thrown) {
    connection.destroy()
    throw thrown instanceof DriverError ? sessionError(thrown, endpoint) : thrown
  }
}

// An address that nobody listed was found through one that somebody did: it is reached as the first of them is.
function hostAt(hosts: readonly HostOptions[], endpoint: Endpoint): HostOptions {
  const host = hosts.find((listed) => sameEndpoint(listed.endpoint, endpoint)) ?? hosts[0]
  if (host === undefined) throw new HaError('config-invalid', 'hosts: expected at least one')
  return { ...host, endpoint }
}

function sessionError(cause: DriverError, endpoint: Endpoint): HaError {
  const details = { endpoint: formatEndpoint(endpoint), serverCode: cause.errno, cause }
  const message = `${formatEndpoint(endpoint)}: the session could not be set up: ${cause.message}`
  return classify(cause).transient
    ? new HaError('unreachable', message, { ...details, retryable: true })
    : new HaError('refused', message, details)
}

// A login that is broken off counts against us on the server, which blocks a host after `max_connect_errors` of them:
// so this one goes to its end. A server that refuses it has answered as well.
async function knock(options: MariadbDriverOptions, endpoint: Endpoint, signal: AbortSignal): Promise<void> {
  try {
    const connection = await dial(options, hostAt(options.hosts, endpoint), signal)
    // Gone at the latest when the asker no longer waits.
    await raceAbort(connection.end(), signal, ignore).finally(() => connection.destroy())
  } catch (thrown) {
    if (!(thrown instanceof HaError) || thrown.serverCode === undefined) throw thrown
  }
}

function ignore(): void {}
