import { expect, test } from 'vitest'
import { dealExperiments } from '../../src/zookeeper/deal.ts'

const series = {
  contestants: ['ours'],
  rates: { create: 1, sequence: 1, set: 1, read: 1 },
  sessionTimeoutMs: 1,
  hasCast: false,
  holdMs: 1,
  mostMs: 1,
} as const

test.each([
  [['kill'], ['kill leader', 'kill attached', 'kill leader', 'kill attached']],
  [
    ['kill', 'pause'],
    ['kill leader', 'pause attached', 'kill attached', 'pause leader'],
  ],
] as const)('of %s, each meets the leader and an attached server in turn', (faultKinds, expected) => {
  const dealt = dealExperiments({ ...series, faults: 4, faultKinds })
  expect(dealt.map(({ fault, role }) => `${fault} ${role}`)).toEqual(expected)
})
