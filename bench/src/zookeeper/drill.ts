import { chosen, positive, readOptions } from '../harness/args.ts'
import { runWhereFaultsCanBe, withoutPartition } from '../harness/partition.ts'
import { runSeries } from '../harness/series.ts'
import { dealExperiments } from './deal.ts'
import { reportDrill } from './drill-report.ts'
import { withEnsemble } from './ensemble.ts'
import { type ExperimentResult, runExperiment } from './experiment.ts'
import { type FaultKind, faultKinds } from './faults.ts'
import { ours } from './ours.ts'
import { kept } from './promises.ts'
import { lineOf } from './result-line.ts'

// Two hundred in a second.
const rates = { create: 60, sequence: 40, set: 40, read: 60 } as const

/** `npm run drill -- zookeeper`: faults under traffic on a real ensemble; false when one promise was not kept. */
export async function zookeeperDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['faults', 'fault'])
  const wanted = chosen<FaultKind>(options['fault'], faultKinds, withoutPartition(faultKinds))
  const faults = positive(options['faults'], wanted.length * 2, 'faults')
  return runWhereFaultsCanBe(wanted, (kinds) => drill(kinds, faults))
}

function drill(faultKindsWanted: readonly FaultKind[], faults: number): Promise<boolean> {
  const series = {
    faults,
    faultKinds: faultKindsWanted,
    rates,
    contestants: [ours.name],
    sessionTimeoutMs: 4_000,
    hasCast: true,
    holdMs: 6_000,
    mostMs: 20_000,
  }
  return withEnsemble('drill', async (lab) => {
    const results: ExperimentResult[] = []
    try {
      await runSeries(dealExperiments(series), { run: (one) => runExperiment(lab, one), lineOf, results })
    } finally {
      reportDrill(results, lab.version)
    }
    return results.every(kept)
  })
}
