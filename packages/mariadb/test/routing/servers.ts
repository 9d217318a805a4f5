import type { Member, View } from '@ha/core'
import type { GaleraStatus, MariadbStatus, ReplicaStatus } from '../../src/driver/server-status.ts'
import type { Mode, Role } from '../../src/options/resolved-options.ts'
import type { RouteRules } from '../../src/routing/route.ts'

const uuid = '11111111-1111-1111-1111-111111111111'

const synced: GaleraStatus = {
  ready: true,
  connected: true,
  status: 'Primary',
  localState: 4,
  clusterUuid: uuid,
  clusterSize: 3,
  localIndex: 0,
  rejectQueries: 'NONE',
  desync: false,
  donorRejects: false,
}

const standalone: MariadbStatus = {
  version: '10.11.19-MariaDB',
  serverId: 1,
  readOnly: false,
  flushLogAtCommit: 1,
  timeZone: 'UTC',
  galera: undefined,
  replica: undefined,
}

/** The status of a Galera node. */
export function galera(change: Partial<GaleraStatus> = {}, more: Partial<MariadbStatus> = {}): MariadbStatus {
  return { ...standalone, ...more, galera: { ...synced, ...change } }
}

/** The status of a server without Galera. */
export function server(change: Partial<MariadbStatus> = {}): MariadbStatus {
  return { ...standalone, ...change }
}

/** The status of a replica. */
export function replica(change: Partial<Extract<ReplicaStatus, { kind: 'follows' }>> = {}): MariadbStatus {
  return server({ readOnly: true, replica: { kind: 'follows', state: 'running', lagMs: 0, ...change } })
}

export interface Server {
  readonly name: string
  readonly reading?: MariadbStatus
  readonly health?: Member['health']
  readonly lastError?: Error
  readonly role?: Role
}

/** A view of these servers; by default each one is up. */
export function viewOf(servers: readonly Server[]): View<MariadbStatus> {
  const members = servers.map(
    ({ name, reading, health = 'up', lastError }): Member<MariadbStatus> => ({
      endpoint: { host: name, port: 3306 },
      health,
      sinceMs: 0,
      failures: 0,
      failedAtMs: Number.NEGATIVE_INFINITY,
      lastError,
      wasUp: true,
      reading,
      readAtMs: 0,
    }),
  )
  return { members, addressesError: undefined }
}

/** The rules for these servers in a mode. */
export function rulesFor(mode: Mode, servers: readonly Server[], more: Partial<RouteRules> = {}): RouteRules {
  return {
    mode,
    galera: 'auto',
    donor: 'last-resort',
    maxLagMs: 10_000,
    roleOf: ({ host }) => servers.find(({ name }) => name === host)?.role ?? 'primary',
    ...more,
  }
}
