import { isIP } from 'node:net'
import type { ConnectionConfig } from 'mariadb'
import type { HostOptions, ResolvedOptions, TlsChoice } from '../options/resolved.ts'

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
    ...(tls.mode === 'off' ? {} : { ssl: secured(endpoint.host, tls) }),
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
function secured(host: string, { options }: TlsChoice): DriverTls {
  const name = isIP(host) === 0 ? { host, servername: host } : { host }
  return { ...name, ...options } as DriverTls
}
