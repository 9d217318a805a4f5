import { expect, test } from 'vitest'
import { planExperiments } from '../../src/mariadb/experiment.ts'

const series = {
  mode: 'sequential',
  faults: 6,
  faultKinds: ['kill', 'pause'],
  nodes: ['db1', 'db2', 'db3'],
  clientNames: ['ours'],
  rates: { insert: 1, transfer: 1, read: 1, 'own-read': 1 },
  connections: 1,
  holdMs: 1,
  settleMs: 1,
} as const

test('each fault is dealt to each server', () => {
  const planned = planExperiments(series).map(({ fault, victim }) => `${fault} ${victim}`)
  expect(planned).toEqual(['kill db1', 'pause db1', 'kill db2', 'pause db2', 'kill db3', 'pause db3'])
})

test.each([
  ['sequential', ['writer', 'writer', 'writer']],
  ['replication', ['writer', 'replica', 'replica']],
] as const)('in %s the servers are %s', (mode, roles) => {
  const planned = planExperiments({ ...series, mode, faults: 3, faultKinds: ['kill'] })
  expect(planned.map(({ role }) => role)).toEqual(roles)
})
