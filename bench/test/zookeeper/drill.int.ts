import { startLab } from '@ha/bootstrap'
import { expect, it } from 'vitest'
import { ours } from '../../dist/zookeeper/clients.js'
import { runExperiment } from '../../dist/zookeeper/experiment.js'
import { violationsOf } from '../../dist/zookeeper/experiment-report.js'

const shared = {
  clientNames: [ours.name],
  rates: { create: 60, sequence: 40, set: 40, read: 60 },
  sessionTimeoutMs: 4_000,
  hasRecipes: true,
  holdMs: 4_000,
  maxFaultMs: 20_000,
} as const

// Two faults of the long drill, so that a lost node is seen before a change is taken.
it('the leader is killed, the attached server is frozen, and all guarantees hold', async () => {
  await using lab = await startLab(
    { kind: 'zookeeper', nodes: 3, detectMs: 1_000 },
    { name: `drill-${process.pid}` },
  )
  const killed = await runExperiment(lab, { ...shared, fault: 'kill', role: 'leader' })
  const frozen = await runExperiment(lab, { ...shared, fault: 'pause', role: 'attached' })
  const all = [killed, frozen]
  expect(all.map(violationsOf)).toEqual(['', ''])
  expect(all.flatMap(({ clients }) => clients).every(({ verdict }) => verdict.done > 500)).toBe(true)
})
