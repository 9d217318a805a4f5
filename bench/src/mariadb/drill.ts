import { chosen, positive, readOptions } from '../harness/args.ts'
import { runSeries } from '../harness/comparison.ts'
import { runWithSandboxIfNeeded, withoutPartition } from '../harness/sandbox.ts'
import { ours } from './clients.ts'
import {
  type ClusterOptions,
  detectMsOf,
  type FaultKind,
  faultKinds,
  type Mode,
  modes,
  withCluster,
} from './cluster.ts'
import { type ExperimentResult, type ExperimentSeries, planExperiments, runExperiment } from './experiment.ts'
import { holdsGuarantees, reportDrill, summaryLine } from './experiment-report.ts'

const optionNames = ['faults', 'fault', 'mode', 'detect', 'rate']

// Beside the inserts: enough of each to see a loss, and little enough for three servers on two processors.
const others = { transfer: 30, read: 100, 'own-read': 20 } as const

/** `npm run drill -- mariadb`: faults under traffic on a real cluster; false when a guarantee was violated. */
export async function mariadbDrill(argv: readonly string[]): Promise<boolean> {
  const given = readOptions(argv, optionNames)
  const [mode = 'sequential'] = chosen<Mode>(given['mode'], modes, ['sequential'])
  const series = {
    mode,
    faults: positive(given['faults'], 12, 'faults'),
    rates: { insert: positive(given['rate'], 200, 'rate'), ...others },
    connections: 10,
    clientNames: [ours.name],
    holdMs: 8_000,
    // Longer than the deadline of a call.
    settleMs: 40_000,
  }
  const options = { mode, detectMs: detectMsOf(given['detect'], 1_000) }
  const wanted = kindsFor(mode, given['fault'])
  return runWithSandboxIfNeeded(wanted, (kinds) => drill(options, { ...series, faultKinds: kinds }))
}

function drill(options: ClusterOptions, series: Omit<ExperimentSeries, 'nodes'>): Promise<boolean> {
  return withCluster('drill', options, async (lab) => {
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

// What only a member of a Galera cluster knows. A primary that is cut off from its replicas serves its clients as before.
const ofGalera: readonly FaultKind[] = ['isolate', 'partition', 'drain']

function kindsFor(mode: Mode, given: string | undefined): readonly FaultKind[] {
  const known = mode === 'replication' ? faultKinds.filter((kind) => !ofGalera.includes(kind)) : faultKinds
  return chosen(given, known, withoutPartition(known))
}
