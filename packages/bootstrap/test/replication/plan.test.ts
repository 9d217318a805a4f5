import { expect, test } from 'vitest'
import type { ReplicationTopology } from '../../src/model/topology.ts'
import { replicationTimers, resolveReplication } from '../../src/replication/model.ts'
import { planReplication } from '../../src/replication/plan.ts'
import { readView } from '../../src/replication/probe.ts'
import { mariadbDeployment } from '../mariadb/deployment.ts'

const plan = (topology: Partial<ReplicationTopology> = {}) =>
  planReplication(resolveReplication({ kind: 'replication', ...topology }, mariadbDeployment))

test('the first server is the primary, the others are read-only', () => {
  const readOnly = plan().files.flatMap(({ path, content }) =>
    content.kind === 'text' && path.endsWith('.cnf') ? [/read_only=(\d)/.exec(content.text)?.[1]] : [],
  )

  expect(readOnly).toEqual(['0', '1', '1'])
  expect(plan().url).toMatch(/^jdbc:mariadb:replication:\/\/127\.0\.0\.1:21000,/)
})

test('a primary can be made read-only, and a replica, which is so always, cannot be healed of it', () => {
  expect(plan().nodes.map(({ levers }) => Object.keys(levers))).toEqual([
    ['read-only'],
    ['stop-applier'],
    ['stop-applier'],
  ])
})

test.each([
  [null, { netTimeoutS: 60, heartbeatS: 30, retryS: 1 }],
  [500, { netTimeoutS: 1, heartbeatS: 0.25, retryS: 1 }],
  [1000, { netTimeoutS: 1, heartbeatS: 0.5, retryS: 1 }],
  [5000, { netTimeoutS: 5, heartbeatS: 2.5, retryS: 1 }],
])('a primary may be silent for %d ms: %j', (detectMs, timers) => {
  expect(replicationTimers(detectMs)).toEqual(timers)
})

test('a primary names itself and its replicas, and says how far it got', () => {
  const members = ['db1', 'db2', 'db3']

  expect(readView('primary\tdb1\t0\t0-1-7\n3\tdb3\t21002\t1\n2\tdb2\t21001\t1\n')).toEqual({
    kind: 'answered',
    members,
    running: members,
    apart: [],
    history: '0-1-7',
    role: 'primary',
  })
  expect(readView('primary\tdb1\t1\t0-1-7\n')).toMatchObject({ because: 'it is read-only' })
  expect(readView('').kind).toBe('starting')
})

const replica = (io: string, applier: string): string =>
  [
    '*************************** 1. row ***************************',
    '         role: replica',
    'gtid_slave_pos: 0-1-7',
    '*************************** 1. row ***************************',
    `             Slave_IO_Running: ${io}`,
    `            Slave_SQL_Running: ${applier}`,
    '',
  ].join('\n')

test('a replica that hears and applies says how far it got, and leaves naming the members to its primary', () => {
  expect(readView(replica('Yes', 'Yes'))).toEqual({ kind: 'vouched', role: 'replica', history: '0-1-7' })
})

test.each([
  ['Connecting', 'Yes', 'it is not connected to its primary: Connecting'],
  ['Yes', 'No', 'its applier does not run'],
])('a replica whose threads stand at %s and %s does not serve yet', (io, applier, because) => {
  expect(readView(replica(io, applier))).toEqual({ kind: 'starting', because })
})
