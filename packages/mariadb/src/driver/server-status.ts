import type { MariadbConnection } from './connection.ts'
import type { PipelinedStatement, Reply, Row } from './statement.ts'

/** What a server says of itself, read in one round trip. */
export interface MariadbStatus {
  /** Such as `10.11.19-MariaDB-0+deb12u1`. */
  readonly version: string
  readonly serverId: number
  readonly readOnly: boolean
  /** `innodb_flush_log_at_trx_commit`: only 1 keeps each commit through a crash. */
  readonly flushLogAtCommit: number
  /** Undefined when the server is no member of a Galera cluster. */
  readonly galera: GaleraStatus | undefined
  /** Undefined when the server replicates from nobody. */
  readonly replica: ReplicaStatus | undefined
}

/** What a Galera node says of itself. */
export interface GaleraStatus {
  /** `wsrep_ready`: false is a node that answers 1047 to every statement on a table. */
  readonly ready: boolean
  readonly connected: boolean
  readonly status: 'Primary' | 'non-Primary' | 'Disconnected'
  /** 0 initialized, 1 joining, 2 donor or desynced, 3 joined, 4 synced, 5 error, 6 maximum: `wsrep_local_state`. */
  readonly localState: number
  readonly clusterUuid: string
  readonly clusterSize: number
  readonly localIndex: number
  readonly rejectQueries: 'NONE' | 'ALL' | 'ALL_KILL'
  readonly desync: boolean
  /** Whether the node refuses statements while it feeds another one. */
  readonly donorRejects: boolean
}

/** How far a replica is behind the server that it follows; `not-allowed` when our user may not know. */
export type ReplicaStatus =
  | {
      readonly kind: 'follows'
      /** `cut-off`: it applies what it has and cannot reach its source. `stopped`: it was told to rest, or has failed. */
      readonly state: 'running' | 'cut-off' | 'stopped'
      /** Undefined while the server does not know. */
      readonly lagMs: number | undefined
    }
  /** The user has not the privilege REPLICA MONITOR. */
  | { readonly kind: 'not-allowed' }

/**
 * Reads what a server says of itself, in one round trip. Nothing here waits for the cluster, so that a survivor that
 * waits for the group's new view still answers within milliseconds.
 */
export async function readServerStatus(connection: MariadbConnection): Promise<MariadbStatus> {
  const [, variables, status, sources] = await connection.pipeline(statusQueries)
  return serverStatusOf(valuesOf(rowsOf(variables)), valuesOf(rowsOf(status)), replicaStatusOf(sources))
}

/** The variables that a {@link MariadbStatus} is made of. */
const variableNames: readonly string[] = [
  'version',
  'server_id',
  'read_only',
  'innodb_flush_log_at_trx_commit',
  'wsrep_on',
  'wsrep_reject_queries',
  'wsrep_desync',
  'wsrep_sst_donor_rejects_queries',
]

/** The status values of a Galera node that a {@link MariadbStatus} is made of. */
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

const statusQueries: readonly PipelinedStatement[] = [
  // A server may set it for everybody. A session that has it waits for the group with each of the other questions:
  // 6.3 s after another node froze, and until 1205 when the quorum is lost. A build without Galera does not know it.
  'SET SESSION wsrep_sync_wait=0',
  // Unlike `SELECT @@x`, these leave out what a server does not know.
  `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${quoted(variableNames)})`,
  `SHOW GLOBAL STATUS WHERE Variable_name IN (${quoted(galeraStatusNames)})`,
  'SHOW ALL SLAVES STATUS',
].map((sql) => ({ sql, kind: 'text' }))

// ER_SPECIFIC_ACCESS_DENIED_ERROR: our user has not the privilege REPLICA MONITOR, which 10.5 asks for.
const accessDenied = 1227

function replicaStatusOf(reply: Reply | undefined): ReplicaStatus | undefined {
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

/** Values by their names, as `SHOW VARIABLES` and `SHOW STATUS` give them. */
type ServerValues = ReadonlyMap<string, string>

/** The rows of `SHOW VARIABLES` or `SHOW STATUS`. */
export function valuesOf(rows: readonly Row[]): ServerValues {
  return new Map(rows.map((row) => [String(row['Variable_name']), String(row['Value'])]))
}

/** What the values of a server come to. */
export function serverStatusOf(
  variables: ServerValues,
  status: ServerValues,
  replica: ReplicaStatus | undefined,
): MariadbStatus {
  return {
    version: variables.get('version') ?? '',
    serverId: Number(variables.get('server_id')),
    readOnly: isOn(variables.get('read_only')),
    flushLogAtCommit: Number(variables.get('innodb_flush_log_at_trx_commit')),
    // `wsrep_on` without a provider is a server that was once a node, or will be one.
    galera:
      isOn(variables.get('wsrep_on')) && (status.get('wsrep_provider_name') ?? '') !== ''
        ? galeraStatus(variables, status)
        : undefined,
    replica,
  }
}

/** How far behind a server is, by the rows of `SHOW ALL SLAVES STATUS`; undefined when it follows nobody. */
export function replicaStatus(sources: readonly Row[]): ReplicaStatus | undefined {
  if (sources.length === 0) return undefined
  // The worst of its sources counts, and of their lags the longest.
  const states = sources.map(stateOf)
  const state = (['stopped', 'cut-off'] as const).find((worst) => states.includes(worst)) ?? 'running'
  const lagsSec = sources.map((source) => source['Seconds_Behind_Master'])
  const known = lagsSec.every((lagSec) => lagSec !== null && lagSec !== undefined)
  return { kind: 'follows', state, lagMs: known ? Math.max(...lagsSec.map(Number)) * 1_000 : undefined }
}

type ReplicaState = Extract<ReplicaStatus, { readonly kind: 'follows' }>['state']

// A thread that runs and has no connection says so; any other word than these two is a rest.
function stateOf(source: Row): ReplicaState {
  if (source['Slave_SQL_Running'] !== 'Yes') return 'stopped'
  switch (source['Slave_IO_Running']) {
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

// What is not known to be Primary is not.
function clusterStatus(value: string | undefined): GaleraStatus['status'] {
  return value === 'Primary' || value === 'Disconnected' ? value : 'non-Primary'
}

function rejectQueries(value: string | undefined): GaleraStatus['rejectQueries'] {
  return value === 'ALL' || value === 'ALL_KILL' ? value : 'NONE'
}

function isOn(value: string | undefined): boolean {
  return value === 'ON' || value === '1'
}
