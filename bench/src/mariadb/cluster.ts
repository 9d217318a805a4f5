import type { FaultAction, FaultLease, Lab } from '@ha/bootstrap'
import { type Endpoint, formatEndpoint } from '@ha/core'
import { type Connection, createConnection } from 'mariadb'
import { UsageError } from '../harness/args.ts'
import { withLab } from '../harness/lab.ts'

export type Mode = 'sequential' | 'loadbalance' | 'replication'

export const modes: readonly Mode[] = ['sequential', 'loadbalance', 'replication']

/** Which cluster, and how its servers look after each other. */
export interface ClusterOptions {
  readonly mode: Mode
  /** How long a member may be silent before the others suspect it. Undefined: the server's own 5 s. */
  readonly detectMs: number | undefined
}

/** Runs `work` on a real cluster of three that suits the mode; it is gone afterwards. */
export function withCluster<T>(
  purpose: string,
  { mode, detectMs }: ClusterOptions,
  work: (lab: Lab) => Promise<T>,
): Promise<T> {
  const timers = detectMs === undefined ? {} : { detectMs }
  return mode === 'replication'
    ? withLab(
        {
          purpose,
          description: 'a MariaDB primary with two replicas',
          request: { kind: 'replication', nodes: 3, ...timers },
        },
        work,
      )
    : withLab(
        {
          purpose,
          description: 'a Galera cluster of three',
          request: { kind: 'galera', nodes: 3, ...timers },
        },
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
export async function connect(endpoint: string): Promise<Connection> {
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
export async function withConnection<T>(
  endpoint: string,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(endpoint)
  try {
    return await work(connection)
  } finally {
    connection.destroy()
  }
}

/** `1s`, `500ms`, or `default` for the servers' own, which is undefined. */
export function detectMsOf(given: string | undefined, fallbackMs: number): number | undefined {
  if (given === undefined) return fallbackMs
  if (given === 'default') return undefined
  const [, number, unit] = /^(\d+)(ms|s)$/.exec(given) ?? []
  if (number !== undefined) return Number(number) * (unit === 's' ? 1_000 : 1)
  throw new UsageError(`--detect: expected a time like 1s or 500ms, or default, got '${given}'`)
}

/** What is done to a server, or with `restart` to all of them in turn. */
export type FaultKind = 'kill' | 'stop' | 'pause' | 'isolate' | 'partition' | 'drain' | 'restart'

export const faultKinds: readonly FaultKind[] = [
  'kill',
  'stop',
  'pause',
  'isolate',
  'partition',
  'drain',
  'restart',
]

const actions: Readonly<Record<Exclude<FaultKind, 'restart'>, FaultAction>> = {
  kill: 'kill',
  stop: 'stop',
  pause: 'pause',
  isolate: 'isolate',
  partition: 'partition',
  drain: 'reject-queries',
}

// Longer than any experiment: the experiment heals the fault itself.
const leaseMs = 120_000

/** Breaks one server. */
export function injectFault(lab: Lab, kind: keyof typeof actions, node: string): Promise<FaultLease> {
  return lab.fault(actions[kind], node, { forMs: leaseMs })
}

/** Stops each server politely and starts it again, one after the other. */
export async function restartAll(lab: Lab): Promise<void> {
  for (const { name } of lab.nodes) {
    await lab.restart(name)
    await lab.ready()
  }
}
