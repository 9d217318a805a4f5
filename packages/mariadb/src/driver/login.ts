import { isIP, type Socket } from 'node:net'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, type Deferred, deferred, detachStack, isCertificateError, raceAbort } from '@ha/core/driver'
import { type Connection, type ConnectionConfig, createConnection, SqlError } from 'mariadb'
import type { HostOptions, ResolvedOptions, TlsChoice } from '../options/resolved-options.ts'
import { guardSocketReader, MariadbConnection } from './connection.ts'
import { dateZone } from './dates.ts'
import { isRefusedLogin, isServerError } from './error-classification.ts'

/** Opens the socket to a server; tests replace it by one in memory. */
export type SocketFactory = (endpoint: Endpoint) => Socket

/** One server, and the options of a login there. */
export interface LoginTarget {
  readonly options: LoginOptions
  readonly host: HostOptions
  readonly connect: SocketFactory
}

/** Dials a server and logs in. When the signal fires, nothing stays open. Rejects with an {@link HaError}. */
export async function dial(
  { options, host, connect }: LoginTarget,
  signal: AbortSignal,
): Promise<MariadbConnection> {
  const name = formatEndpoint(host.endpoint)
  const password = await readPasswordOption(options, name, signal)
  const socket = connect(host.endpoint)
  try {
    const thrown = deferred<Error>()
    const driver = await login(driverConfig(options, host, password), socket, thrown, signal)
    // Nobody would hear of an end that came before there was somebody to tell.
    if (socket.destroyed) throw closedDuringLogin()
    const { bigint, dates } = options.results
    const rules = { bigint, dates, zone: dateZone(options.session.timeZone) }
    const connection = new MariadbConnection(host.endpoint, driver, socket, rules)
    thrown.promise.then((error) => connection.destroy(error))
    return connection
  } catch (thrown) {
    socket.destroy()
    throw signal.aborted ? signal.reason : detachStack(loginError(asError(thrown), name))
  }
}

async function readPasswordOption(options: LoginOptions, name: string, signal: AbortSignal): Promise<string> {
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
  guardSocketReader(socket, thrown.resolve)
  thrown.promise.then(entered.reject)
  socket.once('close', () => entered.reject(closedDuringLogin()))
  return raceAbort(entered.promise, signal, () => undefined)
}

/** What a login needs to know. */
export type LoginOptions = Pick<
  ResolvedOptions,
  'username' | 'password' | 'database' | 'name' | 'results' | 'session'
>

/** The driver's options, with those that its types do not know. */
export type DriverConfig = ConnectionConfig &
  Readonly<Record<'permitRedirect' | 'fullResult' | 'jsonStrings', boolean>>

/** The driver's own options for one server. Its deadline, its pools and its redirections are not used. */
export function driverConfig(
  options: LoginOptions,
  { endpoint, tls }: HostOptions,
  password: string,
): DriverConfig {
  const { username, database, name, results } = options
  return {
    host: endpoint.host,
    user: username,
    password,
    ...(database === undefined ? {} : { database }),
    ...(tls.mode === 'off' ? {} : { ssl: driverTls(endpoint.host, tls) }),
    connectAttributes: { program_name: name },
    // The signal is the deadline.
    connectTimeout: 0,
    // Known from the handshake on, so that no `SET NAMES` follows it.
    collation: 'UTF8MB4_GENERAL_CI',
    // An error must not tell the values of a statement.
    logParam: false,
    // We choose the server, and nobody else.
    permitRedirect: false,
    // What a batch wrote is one sum, as what any other statement wrote.
    fullResult: false,
    bigIntAsNumber: results.bigint === 'number',
    // Dates and documents are read by us: see zone.ts and results.ts.
    dateStrings: true,
    jsonStrings: true,
  }
}

type DriverTls = Exclude<ConnectionConfig['ssl'], undefined>

// Node checks a certificate against `host`, or against `localhost` when it is not told; only a name may be asked for.
function driverTls(host: string, { options }: TlsChoice): DriverTls {
  const name = isIP(host) === 0 ? { host, servername: host } : { host }
  return { ...name, ...options } as DriverTls
}

/** Why a server could not be logged in to: `unreachable`, or `refused` when no server would say otherwise. */
export function loginError(cause: Error, endpoint: string): HaError {
  const server = isServerError(cause) ? cause : undefined
  const text = server === undefined ? cause.message : `${server.code}: ${server.sqlMessage}`
  const details = { endpoint, serverCode: server?.errno, cause }
  const error = new HaError('unreachable', `${endpoint}: ${text}`, { ...details, retryable: true })
  return isRefusedLogin(error) || isCertificateError(cause) || isTlsError(cause)
    ? new HaError('refused', `${endpoint}: ${text}`, details)
    : error
}

/** The password could not be had, which says nothing of any server. Its own message may say too much. */
export function passwordError(cause: Error, endpoint: string): HaError {
  return new HaError('unreachable', `${endpoint}: the password could not be had`, {
    endpoint,
    retryable: true,
    cause,
  })
}

/** The socket only closed. */
export function closedDuringLogin(): Error {
  return new Error('the connection was closed before the login was done')
}

// The driver's own numbers: no TLS on the server, or its certificate is not who we asked for.
const tlsErrnos: readonly number[] = [45_023, 45_056, 45_057, 45_059, 45_062, 45_063]

function isTlsError(error: Error): boolean {
  return error instanceof SqlError && tlsErrnos.includes(error.errno)
}
