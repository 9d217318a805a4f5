import { type Endpoint, formatEndpoint } from '@ha/core'
import { checkEndpoint, defaultRole, invalidOption, lacksPrimary, parseHostList } from '@ha/core/driver'
import type { HostOptions, Mode, Role, TlsChoice } from './resolved-options.ts'
import { frozenTls, readTls, type TlsInput } from './tls.ts'

/** One host: `host`, `host:port`, `[IPv6]:port`, or an object; a local socket by its path. */
export type HostInput =
  | string
  | { readonly host: string; readonly port?: number; readonly role?: Role; readonly tls?: TlsInput }
  | { readonly socketPath: string; readonly role?: Role; readonly tls?: TlsInput }

/** A host before the mode and the client's TLS options are applied. */
export interface GivenHost {
  readonly endpoint: Endpoint
  readonly role: Role | undefined
  readonly tls: TlsChoice | undefined
}

const defaultPort = 3306

/** The path of a local socket; undefined for a network endpoint. */
export function socketPathOf({ host, port }: Endpoint): string | undefined {
  return port === 0 ? host : undefined
}

/** Reads `'a:3306,b'` or a list. */
export function readHosts(value: unknown, path: string): readonly GivenHost[] {
  if (typeof value === 'string') {
    return parseHostList(value, { defaultPort, where: path }).map((endpoint) => ({
      endpoint,
      role: undefined,
      tls: undefined,
    }))
  }
  if (!Array.isArray(value) || value.length === 0) {
    throw invalidOption(path, "expected 'host:port,host:port', or a list of at least one host")
  }
  return value.map((host, i) => readHost(host, `${path}[${i}]`))
}

/** Completes the hosts with roles and TLS, each host once. Throws when no primary is left. */
export function completeHosts(
  given: readonly GivenHost[],
  { mode, tls, path }: { readonly mode: Mode; readonly tls: TlsChoice; readonly path: string },
): readonly HostOptions[] {
  const hosts = new Map<string, HostOptions>()
  for (const [index, host] of given.entries()) {
    const role = host.role ?? defaultRole(mode, index)
    const name = formatEndpoint(host.endpoint)
    const earlier = hosts.get(name)
    if (earlier?.role === role) throw invalidOption(path, `${name} is listed twice`)
    // A primary serves reads as well, so a host with both roles is one primary.
    if (earlier?.role === 'primary') continue
    const own =
      host.tls === undefined ? tls : { mode: host.tls.mode, options: { ...tls.options, ...host.tls.options } }
    hosts.set(name, Object.freeze({ endpoint: Object.freeze(host.endpoint), role, tls: frozenTls(own) }))
  }
  const complete = [...hosts.values()]
  const roles = complete.map(({ role }) => role)
  if (lacksPrimary(mode, roles))
    throw invalidOption(path, 'expected at least one primary: no server could take writes')
  return Object.freeze(complete)
}

function readHost(value: unknown, path: string): GivenHost {
  if (typeof value !== 'object' || value === null) {
    return { endpoint: checkEndpoint(value, path, defaultPort), role: undefined, tls: undefined }
  }
  const { host, port, socketPath, role, tls, ...unknownOptions }: Record<string, unknown> = { ...value }
  if (Object.keys(unknownOptions).length > 0) {
    throw invalidOption(path, 'expected only host, port, role and tls, or socketPath, role and tls')
  }
  if (role !== undefined && role !== 'primary' && role !== 'replica') {
    throw invalidOption(`${path}.role`, "expected 'primary' or 'replica'")
  }
  const endpoint =
    socketPath === undefined
      ? checkEndpoint({ host, port }, path, defaultPort)
      : readSocketPath({ socketPath, host, port }, path)
  return { endpoint, role, tls: readTls(tls, `${path}.tls`) }
}

function readSocketPath(
  { socketPath, host, port }: Readonly<Record<'socketPath' | 'host' | 'port', unknown>>,
  path: string,
): Endpoint {
  if (host !== undefined || port !== undefined)
    throw invalidOption(path, 'host and port cannot be combined with socketPath')
  if (typeof socketPath === 'string' && socketPath.startsWith('/')) return { host: socketPath, port: 0 }
  throw invalidOption(`${path}.socketPath`, "expected a path that begins with '/'")
}
