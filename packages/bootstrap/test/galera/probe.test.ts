import { expect, test } from 'vitest'
import { readView } from '../../src/galera/probe.ts'

const answer = (changed: Readonly<Record<string, string>> = {}, names = ['db2', 'db1', 'garb']): string => {
  const told = {
    wsrep_local_state_comment: 'Synced',
    wsrep_cluster_size: '3',
    wsrep_cluster_state_uuid: 'u',
    wsrep_cluster_status: 'Primary',
    wsrep_ready: 'ON',
    read_only: 'OFF',
    wsrep_reject_queries: 'NONE',
    ...changed,
  }
  const rows = Object.entries(told).map(([key, value]) => `${key}\t${value}\n`)
  return [...rows, ...names.map((name, i) => `${i}\tuuid${i}\t${name}\t127.0.0.1:${i}\n`)].join('')
}

test('a node that is well names every member, an arbitrator too, and the history of the cluster', () => {
  const members = ['db1', 'db2', 'garb']

  expect(readView(answer())).toEqual({ kind: 'answered', members, running: members, apart: [], history: 'u' })
})

test.each([
  [{ wsrep_cluster_status: 'non-Primary', wsrep_local_state_comment: 'Initialized' }, 'it has no majority'],
  [{ wsrep_local_state_comment: 'Donor/Desynced' }, 'it is not Synced but Donor/Desynced'],
  [{ wsrep_ready: 'OFF' }, 'it is not ready for queries'],
  [{ wsrep_reject_queries: 'ALL' }, 'it rejects queries'],
  [{ read_only: 'ON' }, 'it is read-only'],
  [{ wsrep_cluster_size: '2' }, 'its view of the group is changing'],
])('a node that says %j does not serve yet', (changed, because) => {
  expect(readView(answer(changed))).toMatchObject({
    kind: 'starting',
    because: expect.stringContaining(because),
  })
})

test('a server without Galera, or without an answer, has no majority', () => {
  expect(readView('').kind).toBe('starting')
})
