import { isIP, type Socket } from 'node:net'
import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError, type Deferred, deferred, detachStack, isCertificateError, raceAbort } from '@ha/core/driver'
import { type Connection, type ConnectionConfig, createConnection, SqlError } from 'mariadb'
import type { HostOptions, ResolvedOptions, TlsChoice } from '../options/resolved-options.ts'
import { guardSocketReader, MariadbConnection } from './connection.ts'
import { dateZone, utc } from './dates.ts'
import { isRefusedLogin, isServerError } from './error-classification.ts'

/** Opens the socket to a server; tests replace it by one in memory. */
export type SocketFactory = (endpoint: Endpoint) => Socket

/** One server, and the options of a login there. */
export interface LoginTarget {
  readonly options: LoginOptions
  readonly host: HostOptions
  readonly connect: SocketFactory
  readonly password: string
}

/** Connects to a server and logs in. When the signal fires, no socket stays open. Rejects with an {@link HaError}. */
export async function dial(
  { options, host, connect, password }: LoginTarget,
  signal: AbortSignal,
): Promise<MariadbConnection> {
  const name = formatEndpoint(host.endpoint)
  const socket = connect(host.endpoint)
  try {
    const thrown = deferred<Error>()
    const driver = await login(driverConfig(options, host, password), socket, thrown, signal)
    // The `close` event may have fired before the connection could listen for it.
    if (socket.destroyed) throw closedDuringLogin()
    const rules = { ...options.results, zone: dateZone(options.session.timeZone) ?? utc }
    const connection = new MariadbConnection(host.endpoint, driver, socket, rules)
    thrown.promise.then((error) => connection.destroy(error))
    return connection
  } catch (thrown) {
    socket.destroy()
    throw signal.aborted ? signal.reason : detachStack(loginError(asError(thrown), name))
  }
}

// The driver's promise does not settle when the socket closes without an error, as it does after an abort.
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

/** The options of a login. */
export type LoginOptions = Pick<
  ResolvedOptions,
  'username' | 'password' | 'database' | 'name' | 'results' | 'session'
>

/** The driver's options, including those that its types lack. */
export type DriverConfig = ConnectionConfig &
  Readonly<Record<'permitRedirect' | 'fullResult' | 'jsonStrings', boolean>>

/** The driver's options for one server. Its timeouts, pools and redirections are not used. */
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
    // The abort signal enforces the deadline.
    connectTimeout: 0,
    // Set during the handshake, so that no `SET NAMES` follows.
    collation: 'UTF8MB4_GENERAL_CI',
    // Error messages must not contain the values of a statement.
    logParam: false,
    // Only this client chooses the server.
    permitRedirect: false,
    // The result of a batch is one sum, as for any other statement.
    fullResult: false,
    bigIntAsNumber: results.bigint === 'number',
    // Dates and JSON are parsed in dates.ts and codec.ts.
    dateStrings: true,
    jsonStrings: true,
  }
}

type DriverTls = Exclude<ConnectionConfig['ssl'], undefined>

// Node verifies a certificate against `host`, by default `localhost`. SNI allows names only, no IP addresses.
function driverTls(host: string, { options }: TlsChoice): DriverTls {
  const name = isIP(host) === 0 ? { host, servername: host } : { host }
  return { ...name, ...options } as DriverTls
}

/** The error of a failed login: `refused` when every server would refuse it, else `unreachable`. */
export function loginError(cause: Error, endpoint: string): HaError {
  const server = isServerError(cause) ? cause : undefined
  const text = server === undefined ? textOf(cause) : `${server.code}: ${server.sqlMessage}`
  const details = { endpoint, serverCode: server?.errno, cause }
  const error = new HaError('unreachable', `${endpoint}: ${text}`, { ...details, retryable: true })
  return isRefusedLogin(error) || isCertificateError(cause) || isTlsError(cause) || needsTls(cause)
    ? new HaError('refused', `${endpoint}: ${text}`, details)
    : error
}

function textOf(cause: Error): string {
  if (!needsTls(cause)) return cause.message
  return 'the login of this user (caching_sha2_password or sha256_password) needs TLS: set the option tls'
}

// The driver's error for a login whose password may only be sent encrypted; keys of servers are never asked for.
function needsTls(cause: Error): boolean {
  return cause instanceof SqlError && cause.errno === 45_044
}

/** The socket closed without an error. */
export function closedDuringLogin(): Error {
  return new Error('the connection was closed during the login')
}

// The driver's errors for a server without TLS and for certificates that do not match.
const tlsErrnos: readonly number[] = [45_023, 45_056, 45_057, 45_059, 45_062, 45_063]

function isTlsError(error: Error): boolean {
  return error instanceof SqlError && tlsErrnos.includes(error.errno)
}
