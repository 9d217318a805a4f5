import { chosen, positive, readOptions } from '../harness/args.ts'
import { runSeries } from '../harness/comparison.ts'
import { runWithSandboxIfNeeded, withoutPartition } from '../harness/sandbox.ts'
import { ours } from './clients.ts'
import { type FaultKind, faultKinds, withEnsemble } from './ensemble.ts'
import { type ExperimentResult, planExperiments, runExperiment } from './experiment.ts'
import { holdsGuarantees, reportDrill, summaryLine } from './experiment-report.ts'

// Two hundred in a second.
const rates = { create: 60, sequence: 40, set: 40, read: 60 } as const

/** `npm run drill -- zookeeper`: faults under traffic on a real ensemble; false when a guarantee was violated. */
export async function zookeeperDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['faults', 'fault'])
  const wanted = chosen<FaultKind>(options['fault'], faultKinds, withoutPartition(faultKinds))
  const faults = positive(options['faults'], wanted.length * 2, 'faults')
  return runWithSandboxIfNeeded(wanted, (kinds) => drill(kinds, faults))
}

function drill(faultKindsWanted: readonly FaultKind[], faults: number): Promise<boolean> {
  const series = {
    faults,
    faultKinds: faultKindsWanted,
    rates,
    clientNames: [ours.name],
    sessionTimeoutMs: 4_000,
    hasRecipes: true,
    holdMs: 6_000,
    maxFaultMs: 20_000,
  }
  return withEnsemble('drill', async (lab) => {
    const results: ExperimentResult[] = []
    try {
      await runSeries(planExperiments(series), {
        run: (one) => runExperiment(lab, one),
        summaryLine,
        results,
      })
    } finally {
      reportDrill(results, lab.version)
    }
    return results.every(holdsGuarantees)
  })
}
