import type { Endpoint } from '@ha/core'
import type { MariadbDriverOptions } from '../../src/driver/driver.ts'
import type { ResultOptions, SessionOptions, TlsChoice } from '../../src/options/resolved-options.ts'

/** Options that a test overrides. */
export interface OwnOptions {
  readonly username?: string
  readonly password?: string
  readonly database?: string | undefined
  readonly tls?: TlsChoice
  readonly session?: Partial<SessionOptions>
  readonly results?: Partial<ResultOptions>
}

/** Options of the driver for a server of a test. */
export function driverOptions(endpoint: Endpoint, own: OwnOptions = {}): MariadbDriverOptions {
  const { username = 'root', password = '', tls = { mode: 'off', options: {} } } = own
  return {
    username,
    password: async () => password,
    database: 'database' in own ? own.database : 'test',
    name: 'driver test',
    hosts: [{ endpoint, role: 'primary', tls }],
    session: { isolation: undefined, timeZone: '+00:00', variables: {}, initSql: [], ...own.session },
    results: { bigint: 'auto', dates: 'date', json: 'parsed', ...own.results },
  }
}
