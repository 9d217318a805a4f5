import { chosen, positive, readOptions } from '../harness/args.ts'
import { type Mode, modes, withCluster } from './cluster.ts'
import { dealExperiments } from './deal.ts'
import { detectMsOf } from './detect.ts'
import { reportDrill } from './drill-report.ts'
import { type ExperimentResult, runExperiments } from './experiment.ts'
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
    faultKinds: kindsFor(mode, options['fault']),
    rates: { insert: positive(options['rate'], 200, 'rate'), ...others },
    connections: 10,
    contestants: [ours.name],
    holdMs: 8_000,
    // Longer than the deadline of a call.
    settleMs: 40_000,
  }
  return withCluster('drill', { mode, detectMs: detectMsOf(options['detect'], 1_000) }, async (lab) => {
    const nodes = lab.nodes.map(({ name }) => name)
    const results: ExperimentResult[] = []
    try {
      await runExperiments(lab, dealExperiments({ ...series, nodes }), { results, onResult: lineOf })
    } finally {
      reportDrill(results, lab)
    }
    return results.every(({ fared }) => fared.every(kept))
  })
}

// What only a member of a Galera cluster knows.
const ofGalera: readonly FaultKind[] = ['isolate', 'drain']

function kindsFor(mode: Mode, given: string | undefined): readonly FaultKind[] {
  const known = mode === 'replication' ? faultKinds.filter((kind) => !ofGalera.includes(kind)) : faultKinds
  return chosen(given, known, known)
}
