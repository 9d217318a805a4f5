import type { Socket } from 'node:net'
import { formatEndpoint } from '@ha/core'
import { asError, type Deferred, deferred, detachStack, raceAbort } from '@ha/core/driver'
import { type Connection, type ConnectionConfig, createConnection } from 'mariadb'
import type { HostOptions } from '../options/resolved.ts'
import { MariadbConnection } from './connection.ts'
import { guardReader } from './guard-reader.ts'
import { driverConfig, type LoginOptions } from './login-config.ts'
import { closedEarly, loginError, passwordError } from './login-error.ts'
import { openSocket } from './socket.ts'
import { zoneOf } from './zone.ts'

/** Dials a server and logs in. When the signal fires, nothing stays open. Rejects with an {@link HaError}. */
export async function dial(
  options: LoginOptions,
  host: HostOptions,
  signal: AbortSignal,
): Promise<MariadbConnection> {
  const name = formatEndpoint(host.endpoint)
  const password = await passwordOf(options, name, signal)
  const socket = openSocket(host.endpoint)
  try {
    const thrown = deferred<Error>()
    const driver = await login(driverConfig(options, host, password), socket, thrown, signal)
    // Nobody would hear of an end that came before there was somebody to tell.
    if (socket.destroyed) throw closedEarly()
    const { bigint, dates } = options.results
    const rules = { bigint, dates, zone: zoneOf(options.session.timeZone) }
    const connection = new MariadbConnection(host.endpoint, driver, socket, rules)
    thrown.promise.then((error) => connection.destroy(error))
    return connection
  } catch (thrown) {
    socket.destroy()
    throw signal.aborted ? signal.reason : detachStack(loginError(asError(thrown), name))
  }
}

async function passwordOf(options: LoginOptions, name: string, signal: AbortSignal): Promise<string> {
  try {
    return await raceAbort(options.password(), signal, () => undefined)
  } catch (thrown) {
    throw signal.aborted ? signal.reason : passwordError(asError(thrown), name)
  }
}

// The driver's own promise does not settle when the socket only closes, as it does when the signal ends it.
function login(
  config: ConnectionConfig,
  socket: Socket,
  thrown: Deferred<Error>,
  signal: AbortSignal,
): Promise<Connection> {
  const entered = deferred<Connection>()
  const stream: ConnectionConfig['stream'] = (give) => give(undefined, socket)
  createConnection({ ...config, stream }).then(entered.resolve, entered.reject)
  guardReader(socket, thrown.resolve)
  thrown.promise.then(entered.reject)
  socket.once('close', () => entered.reject(closedEarly()))
  return raceAbort(entered.promise, signal, () => undefined)
}
