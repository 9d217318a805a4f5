import { expect, test } from 'vitest'
import { planExperiments } from '../../src/rabbit/experiment.ts'

const series = {
  faults: 54,
  faultKinds: ['kill', 'stop', 'pause'],
  queueKinds: ['quorum', 'mirrored'],
  nodes: ['a', 'b', 'c'],
  clientNames: ['ours'],
  ratePerSecond: 500,
  retryMs: 1,
  silentMs: 1,
} as const

test('faults are dealt evenly: every queue kind has every fault of every node in every part', () => {
  const planned = planExperiments(series).map(
    ({ queueKind, fault, victim, role }) => `${queueKind} ${fault} ${victim} ${role}`,
  )
  expect(new Set(planned).size).toBe(54)
})

test('a short series has each kind first', () => {
  const kinds = planExperiments({ ...series, faults: 6 }).map(
    ({ queueKind, fault }) => `${queueKind} ${fault}`,
  )
  expect(new Set(kinds).size).toBe(6)
})
