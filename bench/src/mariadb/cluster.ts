import type { Lab } from '@ha/bootstrap'
import { type Endpoint, formatEndpoint } from '@ha/core'
import { type Connection, createConnection } from 'mariadb'
import { withLab } from '../harness/lab.ts'

export type Mode = 'sequential' | 'loadbalance' | 'replication'

export const modes: readonly Mode[] = ['sequential', 'loadbalance', 'replication']

/** Which cluster, and how its servers look after each other. */
export interface ClusterWish {
  readonly mode: Mode
  /** How long a member may be silent before the others suspect it. Undefined: the server's own 5 s. */
  readonly detectMs: number | undefined
}

/** Runs `work` on a real cluster of three that suits the mode; it is gone afterwards. */
export function withCluster<T>(
  purpose: string,
  { mode, detectMs }: ClusterWish,
  work: (lab: Lab) => Promise<T>,
): Promise<T> {
  const timers = detectMs === undefined ? {} : { detectMs }
  return mode === 'replication'
    ? withLab(
        {
          purpose,
          words: 'a MariaDB primary with two replicas',
          wanted: { kind: 'replication', nodes: 3, ...timers },
        },
        work,
      )
    : withLab(
        { purpose, words: 'a Galera cluster of three', wanted: { kind: 'galera', nodes: 3, ...timers } },
        work,
      )
}

/** The user and the database that every lab of MariaDB servers has. */
export const login = { user: 'ha', password: 'ha', database: 'ha' } as const

/** What a Java service would be given: all servers in this order, as `host:port`. */
export function jdbcUrl(mode: Mode, endpoints: readonly string[]): string {
  const { user, password, database } = login
  return `jdbc:mariadb:${mode}://${endpoints.join(',')}/${database}?user=${user}&password=${password}`
}

/** Where each node is dialled, as `host:port`. */
export function endpointsOf(lab: Pick<Lab, 'nodes'>): ReadonlyMap<string, string> {
  return new Map(lab.nodes.map(({ name, endpoint }) => [name, formatEndpoint(endpoint)]))
}

const connectMs = 2_000

/** A connection of the bare driver, for looking and for probing. Its errors reject whatever is under way. */
export async function dial(endpoint: string): Promise<Connection> {
  const connection = await createConnection({
    ...addressOf(endpoint),
    ...login,
    connectTimeout: connectMs,
    bigIntAsNumber: true,
    insertIdAsNumber: true,
  })
  connection.on('error', () => undefined)
  return connection
}

/** Host and port of `host:port`. */
export function addressOf(endpoint: string): Endpoint {
  const at = endpoint.lastIndexOf(':')
  return { host: endpoint.slice(0, at), port: Number(endpoint.slice(at + 1)) }
}

/** Dials, works, and closes. */
export async function onConnection<T>(
  endpoint: string,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await dial(endpoint)
  try {
    return await work(connection)
  } finally {
    connection.destroy()
  }
}
