import type { GaleraReading, Reading, ReplicaReading } from './reading.ts'
import type { Row } from './statement.ts'

/** The variables that a {@link Reading} is made of. */
export const variableNames: readonly string[] = [
  'version',
  'server_id',
  'read_only',
  'innodb_flush_log_at_trx_commit',
  'wsrep_on',
  'wsrep_reject_queries',
  'wsrep_desync',
  'wsrep_sst_donor_rejects_queries',
]

/** The status values of a Galera node that a {@link Reading} is made of. */
export const galeraNames: readonly string[] = [
  'wsrep_ready',
  'wsrep_connected',
  'wsrep_cluster_status',
  'wsrep_local_state',
  'wsrep_cluster_state_uuid',
  'wsrep_cluster_size',
  'wsrep_local_index',
  'wsrep_provider_name',
]

/** Values by their names, as `SHOW VARIABLES` and `SHOW STATUS` give them. */
export type Values = ReadonlyMap<string, string>

/** The rows of `SHOW VARIABLES` or `SHOW STATUS`. */
export function valuesOf(rows: readonly Row[]): Values {
  return new Map(rows.map((row) => [String(row['Variable_name']), String(row['Value'])]))
}

/** What the values of a server come to. */
export function readingOf(variables: Values, status: Values, replica: ReplicaReading | undefined): Reading {
  return {
    version: variables.get('version') ?? '',
    serverId: Number(variables.get('server_id')),
    readOnly: isOn(variables.get('read_only')),
    flushLogAtCommit: Number(variables.get('innodb_flush_log_at_trx_commit')),
    // `wsrep_on` without a provider is a server that was once a node, or will be one.
    galera:
      isOn(variables.get('wsrep_on')) && (status.get('wsrep_provider_name') ?? '') !== ''
        ? galeraReading(variables, status)
        : undefined,
    replica,
  }
}

/** How far behind a server is, by the rows of `SHOW ALL SLAVES STATUS`; undefined when it follows nobody. */
export function replicaReading(sources: readonly Row[]): ReplicaReading | undefined {
  if (sources.length === 0) return undefined
  // The worst of its sources counts, and of their lags the longest.
  const states = sources.map(stateOf)
  const state = (['stopped', 'cut-off'] as const).find((worst) => states.includes(worst)) ?? 'running'
  const lagsSec = sources.map((source) => source['Seconds_Behind_Master'])
  const known = lagsSec.every((lagSec) => lagSec !== null && lagSec !== undefined)
  return { kind: 'follows', state, lagMs: known ? Math.max(...lagsSec.map(Number)) * 1_000 : undefined }
}

type ReplicaState = Extract<ReplicaReading, { readonly kind: 'follows' }>['state']

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

function galeraReading(variables: Values, status: Values): GaleraReading {
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
function clusterStatus(value: string | undefined): GaleraReading['status'] {
  return value === 'Primary' || value === 'Disconnected' ? value : 'non-Primary'
}

function rejectQueries(value: string | undefined): GaleraReading['rejectQueries'] {
  return value === 'ALL' || value === 'ALL_KILL' ? value : 'NONE'
}

function isOn(value: string | undefined): boolean {
  return value === 'ON' || value === '1'
}
