import { startLab } from '@ha/bootstrap'
import { expect, it } from 'vitest'
import { ours } from '../../dist/mariadb/clients.js'
import { runExperiment } from '../../dist/mariadb/experiment.js'
import { violationsOf } from '../../dist/mariadb/experiment-report.js'

const shared = {
  mode: 'sequential',
  role: 'writer',
  clientNames: [ours.name],
  rates: { insert: 100, transfer: 20, read: 50, 'own-read': 10 },
  connections: 10,
  holdMs: 4_000,
  settleMs: 40_000,
} as const

// Two faults of the long drill, so that a lost row is seen before a change is taken.
it('the writer is killed, its successor is frozen, and all guarantees hold', async () => {
  await using lab = await startLab(
    { kind: 'galera', nodes: 3, detectMs: 1_000 },
    { name: `drill-${process.pid}` },
  )
  const killed = await runExperiment(lab, { ...shared, fault: 'kill', victim: 'db1' })
  const frozen = await runExperiment(lab, { ...shared, fault: 'pause', victim: 'db2' })
  const all = [...killed.clients, ...frozen.clients]
  expect(all.map(violationsOf)).toEqual(['', ''])
  expect(all.every(({ verdict }) => verdict.done > 500)).toBe(true)
})
