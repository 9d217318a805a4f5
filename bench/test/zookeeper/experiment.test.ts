import { expect, test } from 'vitest'
import { planExperiments } from '../../src/zookeeper/experiment.ts'

const series = {
  clientNames: ['ours'],
  rates: { create: 1, sequence: 1, set: 1, read: 1 },
  sessionTimeoutMs: 1,
  hasRecipes: false,
  holdMs: 1,
  maxFaultMs: 1,
} as const

test.each([
  [['kill'], ['kill leader', 'kill attached', 'kill leader', 'kill attached']],
  [
    ['kill', 'pause'],
    ['kill leader', 'pause attached', 'kill attached', 'pause leader'],
  ],
] as const)('of %s, each meets the leader and an attached server in turn', (faultKinds, expected) => {
  const planned = planExperiments({ ...series, faults: 4, faultKinds })
  expect(planned.map(({ fault, role }) => `${fault} ${role}`)).toEqual(expected)
})
