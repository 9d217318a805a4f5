import { startLab } from '@ha/bootstrap'
import { expect, it } from 'vitest'
import { ours } from '../../dist/rabbit/clients.js'
import { runExperiment } from '../../dist/rabbit/experiment.js'
import { violationsOf } from '../../dist/rabbit/experiment-report.js'

// One fault of the long drill, so that a lost message is seen before a change is taken.
it('the most important node is killed, and all guarantees hold', async () => {
  await using lab = await startLab(
    { kind: 'rabbitmq', nodes: 3, detectMs: 1_000 },
    { name: `drill-${process.pid}` },
  )
  const { clients } = await runExperiment(lab, {
    queueKind: 'quorum',
    fault: 'kill',
    role: 'leader and connections',
    victim: lab.nodes[0]?.name ?? '',
    clientNames: [ours.name],
    ratePerSecond: 500,
    retryMs: 1_000,
    silentMs: 12_000,
  })
  expect(clients.map(violationsOf)).toEqual([''])
  expect(clients[0]?.verdict.confirmed).toBeGreaterThan(1_000)
})
