import { chosen, positive, readOptions } from '../harness/args.ts'
import { runWhereFaultsCanBe, withoutPartition } from '../harness/partition.ts'
import { runSeries } from '../harness/series.ts'
import { type ClusterWish, type Mode, modes, withCluster } from './cluster.ts'
import { dealExperiments, type Series } from './deal.ts'
import { detectMsOf } from './detect.ts'
import { reportDrill } from './drill-report.ts'
import { type ExperimentResult, runExperiment } from './experiment.ts'
import { type FaultKind, faultKinds } from './faults.ts'
import { ours } from './ours.ts'
import { kept } from './promises.ts'
import { lineOf } from './result-line.ts'

const optionNames = ['faults', 'fault', 'mode', 'detect', 'rate']

// Beside the inserts: enough of each to see a loss, and little enough for three servers on two processors.
const others = { transfer: 30, read: 100, 'own-read': 20 } as const

/** `npm run drill -- mariadb`: faults under traffic on a real cluster; false when one promise was not kept. */
export async function mariadbDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, optionNames)
  const [mode = 'sequential'] = chosen<Mode>(options['mode'], modes, ['sequential'])
  const series = {
    mode,
    faults: positive(options['faults'], 12, 'faults'),
    rates: { insert: positive(options['rate'], 200, 'rate'), ...others },
    connections: 10,
    contestants: [ours.name],
    holdMs: 8_000,
    // Longer than the deadline of a call.
    settleMs: 40_000,
  }
  const wish = { mode, detectMs: detectMsOf(options['detect'], 1_000) }
  const wanted = kindsFor(mode, options['fault'])
  return runWhereFaultsCanBe(wanted, (kinds) => drill(wish, { ...series, faultKinds: kinds }))
}

function drill(wish: ClusterWish, series: Omit<Series, 'nodes'>): Promise<boolean> {
  return withCluster('drill', wish, async (lab) => {
    const nodes = lab.nodes.map(({ name }) => name)
    const results: ExperimentResult[] = []
    try {
      await runSeries(dealExperiments({ ...series, nodes }), {
        run: (one) => runExperiment(lab, one),
        lineOf,
        results,
      })
    } finally {
      reportDrill(results, lab)
    }
    return results.every(({ fared }) => fared.every(kept))
  })
}

// What only a member of a Galera cluster knows. A primary that is cut off from its replicas serves its clients as before.
const ofGalera: readonly FaultKind[] = ['isolate', 'partition', 'drain']

function kindsFor(mode: Mode, given: string | undefined): readonly FaultKind[] {
  const known = mode === 'replication' ? faultKinds.filter((kind) => !ofGalera.includes(kind)) : faultKinds
  return chosen(given, known, withoutPartition(known))
}
