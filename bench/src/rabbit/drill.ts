import { chosen, positive, readOptions } from '../harness/args.ts'
import { runSeries } from '../harness/comparison.ts'
import { runWithSandboxIfNeeded, withoutPartition } from '../harness/sandbox.ts'
import { ours } from './clients.ts'
import { faultKinds, withRabbitCluster } from './cluster.ts'
import { type ExperimentResult, type ExperimentSeries, planExperiments, runExperiment } from './experiment.ts'
import { holdsGuarantees, reportDrill, summaryLine } from './experiment-report.ts'
import { queueKinds } from './queues.ts'

const optionNames = ['faults', 'fault', 'queue', 'rate']

/** `npm run drill -- rabbit`: faults under traffic on a real cluster; false when a guarantee was violated. */
export async function rabbitDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, optionNames)
  const series = {
    faults: positive(options['faults'], 20, 'faults'),
    queueKinds: chosen(options['queue'], queueKinds, queueKinds),
    ratePerSecond: positive(options['rate'], 500, 'rate'),
    clientNames: [ours.name],
    retryMs: 1_000,
    silentMs: 12_000,
  }
  const wanted = chosen(options['fault'], faultKinds, withoutPartition(faultKinds))
  return runWithSandboxIfNeeded(wanted, (kinds) => drill({ ...series, faultKinds: kinds }))
}

function drill(series: Omit<ExperimentSeries, 'nodes'>): Promise<boolean> {
  return withRabbitCluster('drill', async (lab) => {
    const nodes = lab.nodes.map(({ name }) => name)
    const results: ExperimentResult[] = []
    try {
      await runSeries(planExperiments({ ...series, nodes }), {
        run: (one) => runExperiment(lab, one),
        summaryLine,
        results,
      })
    } finally {
      reportDrill(results, lab)
    }
    return results.every(({ clients }) => clients.every(holdsGuarantees))
  })
}
