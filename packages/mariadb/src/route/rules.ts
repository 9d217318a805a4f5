import { type Endpoint, formatEndpoint } from '@ha/core'
import type { Mode, ResolvedOptions, Role } from '../options/resolved.ts'

/** What the options say about routing: everything that does not change while a client lives. */
export interface RouteRules extends Pick<ResolvedOptions, 'mode' | 'galera' | 'donor' | 'maxLagMs'> {
  readonly mode: Mode
  roleOf(endpoint: Endpoint): Role
}

/** The rules of a set of options. */
export function rulesOf(options: ResolvedOptions): RouteRules {
  const { mode, galera, donor, maxLagMs, hosts } = options
  const roles = new Map(hosts.map((host) => [formatEndpoint(host.endpoint), host.role]))
  return {
    mode,
    galera,
    donor,
    maxLagMs,
    roleOf: (endpoint) => roles.get(formatEndpoint(endpoint)) ?? 'primary',
  }
}
