import { expect, test } from 'vitest'
import { boundMs } from '../../src/zookeeper/experiment-report.ts'

const experiment = {
  fault: 'kill',
  role: 'leader',
  clientNames: [],
  rates: { create: 0, sequence: 0, set: 0, read: 0 },
  sessionTimeoutMs: 4_000,
  hasRecipes: false,
  holdMs: 0,
  maxFaultMs: 0,
} as const

test('after a kill, writes have to go on half as long again after the ensemble, and 200 ms', () => {
  expect(boundMs({ experiment, floorMs: 400 })).toBe(800)
})

test('who is attached to a frozen server has the time of a session, unless the ensemble takes longer', () => {
  const frozen = { ...experiment, fault: 'pause' } as const
  expect([
    boundMs({ experiment: frozen, floorMs: 10 }),
    boundMs({ experiment: frozen, floorMs: 4_000 }),
  ]).toEqual([4_000, 6_200])
})
