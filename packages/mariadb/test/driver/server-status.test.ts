import { describe, expect, test } from 'vitest'
import {
  type MariadbStatus,
  replicaStatus,
  serverStatusOf,
  valuesOf,
} from '../../src/driver/server-status.ts'

const variables = {
  version: '10.11.19-MariaDB',
  server_id: '2',
  read_only: 'OFF',
  innodb_flush_log_at_trx_commit: '1',
  wsrep_on: 'ON',
  wsrep_reject_queries: 'NONE',
  wsrep_desync: 'OFF',
  wsrep_sst_donor_rejects_queries: 'OFF',
}

const status = {
  wsrep_ready: 'ON',
  wsrep_connected: 'ON',
  wsrep_cluster_status: 'Primary',
  wsrep_local_state: '4',
  wsrep_cluster_state_uuid: 'cc217931-e5cc-11f1-8c17-cae08c15adca',
  wsrep_cluster_size: '3',
  wsrep_local_index: '1',
  wsrep_provider_name: 'Galera',
}

function reading(own: Record<string, string> = {}, ofNode: Record<string, string> = {}): MariadbStatus {
  return serverStatusOf(
    new Map(Object.entries({ ...variables, ...own })),
    new Map(Object.entries({ ...status, ...ofNode })),
    undefined,
  )
}

describe('what a server says of itself', () => {
  test('is read value by value', () => {
    expect(reading()).toEqual({
      version: '10.11.19-MariaDB',
      serverId: 2,
      readOnly: false,
      flushLogAtCommit: 1,
      timeZone: '',
      galera: {
        ready: true,
        connected: true,
        status: 'Primary',
        localState: 4,
        clusterUuid: 'cc217931-e5cc-11f1-8c17-cae08c15adca',
        clusterSize: 3,
        localIndex: 1,
        rejectQueries: 'NONE',
        desync: false,
        donorRejects: false,
      },
      replica: undefined,
    })
  })

  test.each<[string, Record<string, string>, Record<string, string>]>([
    ['has no provider', {}, { wsrep_provider_name: '' }],
    ['does not replicate by one', { wsrep_on: 'OFF' }, {}],
  ])('is no Galera node when it %s', (_why, own, ofNode) => {
    expect(reading(own, ofNode).galera).toBeUndefined()
  })

  test('is no Galera node when its build knows nothing of it', () => {
    expect(serverStatusOf(new Map([['server_id', '1']]), new Map(), undefined).galera).toBeUndefined()
  })

  test('is a drained node by its variables, while its status stays as it was', () => {
    const own = {
      wsrep_reject_queries: 'ALL_KILL',
      wsrep_desync: 'ON',
      wsrep_sst_donor_rejects_queries: 'ON',
    }
    const drained = { ready: true, rejectQueries: 'ALL_KILL', desync: true, donorRejects: true }
    expect(reading(own).galera).toMatchObject(drained)
  })

  test.each([
    ['non-Primary', 'non-Primary'],
    ['Disconnected', 'Disconnected'],
    ['something new', 'non-Primary'],
  ])('is without a quorum when its cluster is %s', (said, is) => {
    expect(reading({}, { wsrep_cluster_status: said }).galera?.status).toBe(is)
  })

  test('comes as rows of names and values', () => {
    expect(valuesOf([{ Variable_name: 'a', Value: 'b' }]).get('a')).toBe('b')
  })
})

describe('a replica', () => {
  const running = { Slave_IO_Running: 'Yes', Slave_SQL_Running: 'Yes', Seconds_Behind_Master: 3n }

  test('knows its lag while it runs', () => {
    expect(replicaStatus([running])).toEqual({ kind: 'follows', state: 'running', lagMs: 3_000 })
  })

  test('has stopped when one thread of one source rests, and its lag is not known then', () => {
    const stopped = { ...running, Slave_SQL_Running: 'No', Seconds_Behind_Master: null }
    expect(replicaStatus([running, stopped])).toEqual({
      kind: 'follows',
      state: 'stopped',
      lagMs: undefined,
    })
  })

  test('is cut off while it dials its source', () => {
    const dialling = { ...running, Slave_IO_Running: 'Connecting', Seconds_Behind_Master: null }
    expect(replicaStatus([running, dialling])).toEqual({
      kind: 'follows',
      state: 'cut-off',
      lagMs: undefined,
    })
  })

  test('is none when it follows nobody', () => {
    expect(replicaStatus([])).toBeUndefined()
  })
})

describe('a server of another dialect', () => {
  test.each<[Record<string, string>, boolean]>([
    [{ read_only: 'OFF', innodb_read_only: 'ON' }, true],
    [{ read_only: 'NO_LOCK_NO_ADMIN' }, true],
    [{ read_only: '0' }, false],
    [{ read_only: 'OFF', innodb_read_only: 'OFF' }, false],
  ])('with %j is read-only: %s', (own, readOnly) => {
    expect(reading(own).readOnly).toBe(readOnly)
  })

  test('need not know all variables', () => {
    expect(serverStatusOf(new Map([['version', '8.0.36']]), new Map(), undefined)).toEqual({
      version: '8.0.36',
      serverId: 0,
      readOnly: false,
      flushLogAtCommit: 1,
      timeZone: '',
      galera: undefined,
      replica: undefined,
    })
  })

  test('names the threads and the lag of a replica in the words of MySQL 8.4', () => {
    const source = { Replica_IO_Running: 'Yes', Replica_SQL_Running: 'Yes', Seconds_Behind_Source: 3 }
    expect(replicaStatus([source])).toEqual({ kind: 'follows', state: 'running', lagMs: 3_000 })
  })
})
