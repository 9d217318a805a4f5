import type { MariadbConnection } from './connection.ts'
import type { PipelinedStatement, Reply, Row } from './statement.ts'

/** The status of a server, read in one round trip. */
export interface MariadbStatus {
  /** The version, such as `10.11.19-MariaDB-0+deb12u1`. */
  readonly version: string
  readonly serverId: number
  readonly readOnly: boolean
  /** `innodb_flush_log_at_trx_commit`: only 1 makes each commit durable. */
  readonly flushLogAtCommit: number
  /** The global time zone: an offset, a name, or the abbreviation of the machine's zone, such as `CEST`. */
  readonly timeZone: string
  /** Undefined when the server is not part of a Galera cluster. */
  readonly galera: GaleraStatus | undefined
  /** Undefined when the server is not a replica. */
  readonly replica: ReplicaStatus | undefined
}

/** The status of a Galera node. */
export interface GaleraStatus {
  /** `wsrep_ready`: a node that is not ready answers 1047 to every statement on a table. */
  readonly ready: boolean
  readonly connected: boolean
  readonly status: 'Primary' | 'non-Primary' | 'Disconnected'
  /** `wsrep_local_state`: 0 initialized, 1 joining, 2 donor or desynced, 3 joined, 4 synced, 5 error, 6 maximum. */
  readonly localState: number
  readonly clusterUuid: string
  readonly clusterSize: number
  readonly localIndex: number
  readonly rejectQueries: 'NONE' | 'ALL' | 'ALL_KILL'
  readonly desync: boolean
  /** Whether the node rejects queries while it is a donor. */
  readonly donorRejects: boolean
}

/** The replication state of a replica; `not-allowed` when the user lacks the privilege to read it. */
export type ReplicaStatus =
  | {
      readonly kind: 'follows'
      /**
       * `cut-off`: applies what it has received and cannot reach its source. `stopped`: stopped by an operator or by
       * an error.
       */
      readonly state: 'running' | 'cut-off' | 'stopped'
      /** Undefined while the server reports NULL. */
      readonly lagMs: number | undefined
    }
  /** The user lacks the privilege REPLICA MONITOR. */
  | { readonly kind: 'not-allowed' }

/**
 * Reads the status of a server in one round trip. No query waits for the cluster, so that a surviving node that is
 * waiting for a new view still answers within milliseconds.
 */
export async function readServerStatus(connection: MariadbConnection): Promise<MariadbStatus> {
  const mysql = mysqlDialect.has(connection)
  const [, variables, status, ...sources] = await connection.pipeline(mysql ? mysqlQueries : mariadbQueries)
  const values = valuesOf(rowsOf(variables))
  // Servers of MySQL's dialect, such as Aurora, do not know the statement of MariaDB.
  if (!mysql && sources.every(isUnknownStatement)) {
    mysqlDialect.add(connection)
    sources.push(...(await connection.pipeline(mysqlReplicaQueries)))
  }
  const known = sources.find((reply) => !isUnknownStatement(reply))
  return serverStatusOf(values, valuesOf(rowsOf(status)), replicaStatusOf(known))
}

/** The system variables that a {@link MariadbStatus} contains. */
const variableNames: readonly string[] = [
  'version',
  'server_id',
  'read_only',
  // A reader of Aurora says OFF to `read_only` and ON to this one.
  'innodb_read_only',
  'innodb_flush_log_at_trx_commit',
  'time_zone',
  'system_time_zone',
  'wsrep_on',
  'wsrep_reject_queries',
  'wsrep_desync',
  'wsrep_sst_donor_rejects_queries',
]

/** The Galera status variables that a {@link MariadbStatus} contains. */
const galeraStatusNames: readonly string[] = [
  'wsrep_ready',
  'wsrep_connected',
  'wsrep_cluster_status',
  'wsrep_local_state',
  'wsrep_cluster_state_uuid',
  'wsrep_cluster_size',
  'wsrep_local_index',
  'wsrep_provider_name',
]

const commonQueries: readonly PipelinedStatement[] = [
  // The server may set wsrep_sync_wait globally. Each following query would then wait for the group: 6.3 s after
  // another node froze, and until error 1205 without a quorum. Servers built without Galera reject the statement;
  // that is ignored.
  'SET SESSION wsrep_sync_wait=0',
  // Unlike `SELECT @@x`, SHOW omits variables that a server does not know.
  `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${quoted(variableNames)})`,
  `SHOW GLOBAL STATUS WHERE Variable_name IN (${quoted(galeraStatusNames)})`,
].map(textQuery)

const mariadbQueries: readonly PipelinedStatement[] = [...commonQueries, textQuery('SHOW ALL SLAVES STATUS')]

// MySQL from 8.0.22 on knows the first one, and until 8.3 the second one.
const mysqlReplicaQueries: readonly PipelinedStatement[] = ['SHOW REPLICA STATUS', 'SHOW SLAVE STATUS'].map(
  textQuery,
)

const mysqlQueries: readonly PipelinedStatement[] = [...commonQueries, ...mysqlReplicaQueries]

const mysqlDialect = new WeakSet<MariadbConnection>()

function textQuery(sql: string): PipelinedStatement {
  return { sql, kind: 'text' }
}

// ER_PARSE_ERROR.
function isUnknownStatement(reply: Reply): boolean {
  return reply.kind === 'failed' && reply.error.errno === 1064
}

// ER_SPECIFIC_ACCESS_DENIED_ERROR: the user lacks the privilege REPLICA MONITOR (since 10.5).
const accessDenied = 1227

function replicaStatusOf(reply: Reply | undefined): ReplicaStatus | undefined {
  if (reply === undefined) return undefined
  const denied = reply?.kind === 'failed' && reply.error.errno === accessDenied
  return denied ? { kind: 'not-allowed' } : replicaStatus(rowsOf(reply))
}

function rowsOf(reply: Reply | undefined): readonly Row[] {
  if (reply?.kind === 'failed') throw reply.error
  return reply?.kind === 'rows' ? reply.rows : []
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(',')
}

/** Values by name, as returned by `SHOW VARIABLES` and `SHOW STATUS`. */
type ServerValues = ReadonlyMap<string, string>

/** Reads the rows of `SHOW VARIABLES` or `SHOW STATUS`. */
export function valuesOf(rows: readonly Row[]): ServerValues {
  return new Map(rows.map((row) => [String(row['Variable_name']), String(row['Value'])]))
}

/** Builds the status of a server from its variables. */
export function serverStatusOf(
  variables: ServerValues,
  status: ServerValues,
  replica: ReplicaStatus | undefined,
): MariadbStatus {
  return {
    version: variables.get('version') ?? '',
    serverId: Number(variables.get('server_id') ?? 0),
    // `read_only` has more values than ON from MariaDB 12 on.
    readOnly: isOtherThanOff(variables.get('read_only')) || isOn(variables.get('innodb_read_only')),
    // A server that does not know the variable is not blamed for its value.
    flushLogAtCommit: Number(variables.get('innodb_flush_log_at_trx_commit') ?? 1),
    timeZone: timeZoneOf(variables),
    // `wsrep_on` without a provider: the server was a node before, or will become one.
    galera:
      isOn(variables.get('wsrep_on')) && (status.get('wsrep_provider_name') ?? '') !== ''
        ? galeraStatus(variables, status)
        : undefined,
    replica,
  }
}

function timeZoneOf(variables: ServerValues): string {
  const own = variables.get('time_zone') ?? ''
  return own === 'SYSTEM' ? (variables.get('system_time_zone') ?? '') : own
}

/** The replication state from the rows of `SHOW ALL SLAVES STATUS`; undefined for a server that is not a replica. */
export function replicaStatus(sources: readonly Row[]): ReplicaStatus | undefined {
  if (sources.length === 0) return undefined
  // With several sources, the worst state and the largest lag count.
  const states = sources.map(stateOf)
  const state = (['stopped', 'cut-off'] as const).find((worst) => states.includes(worst)) ?? 'running'
  const lagsSec = sources.map((source) => source['Seconds_Behind_Master'] ?? source['Seconds_Behind_Source'])
  const known = lagsSec.every((lagSec) => lagSec !== null && lagSec !== undefined)
  return { kind: 'follows', state, lagMs: known ? Math.max(...lagsSec.map(Number)) * 1_000 : undefined }
}

type ReplicaState = Extract<ReplicaStatus, { readonly kind: 'follows' }>['state']

// `Connecting` is a running thread without a connection; any other value than `Yes` means stopped.
function stateOf(source: Row): ReplicaState {
  if ((source['Slave_SQL_Running'] ?? source['Replica_SQL_Running']) !== 'Yes') return 'stopped'
  switch (source['Slave_IO_Running'] ?? source['Replica_IO_Running']) {
    case 'Yes':
      return 'running'
    case 'Connecting':
      return 'cut-off'
    default:
      return 'stopped'
  }
}

function galeraStatus(variables: ServerValues, status: ServerValues): GaleraStatus {
  return {
    ready: isOn(status.get('wsrep_ready')),
    connected: isOn(status.get('wsrep_connected')),
    status: clusterStatus(status.get('wsrep_cluster_status')),
    localState: Number(status.get('wsrep_local_state')),
    clusterUuid: status.get('wsrep_cluster_state_uuid') ?? '',
    clusterSize: Number(status.get('wsrep_cluster_size')),
    localIndex: Number(status.get('wsrep_local_index')),
    rejectQueries: rejectQueries(variables.get('wsrep_reject_queries')),
    desync: isOn(variables.get('wsrep_desync')),
    donorRejects: isOn(variables.get('wsrep_sst_donor_rejects_queries')),
  }
}

// Anything but `Primary` and `Disconnected` counts as non-Primary.
function clusterStatus(value: string | undefined): GaleraStatus['status'] {
  return value === 'Primary' || value === 'Disconnected' ? value : 'non-Primary'
}

function rejectQueries(value: string | undefined): GaleraStatus['rejectQueries'] {
  return value === 'ALL' || value === 'ALL_KILL' ? value : 'NONE'
}

function isOtherThanOff(value: string | undefined): boolean {
  return value !== undefined && value !== 'OFF' && value !== '0'
}

function isOn(value: string | undefined): boolean {
  return value === 'ON' || value === '1'
}
