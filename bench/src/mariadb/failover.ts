import type { Lab } from '@ha/bootstrap'
import { chosen, positive, readOptions } from '../harness/args.ts'
import {
  type ClientColumn,
  darkColumns,
  groupedBy,
  reportComparison,
  runSeries,
  sumColumn,
} from '../harness/comparison.ts'
import type { ClientResult } from './client-result.ts'
import { clientAdapters, ours } from './clients.ts'
import { detectMsOf, type FaultKind, withCluster } from './cluster.ts'
import { type Experiment, type ExperimentResult, runExperiment } from './experiment.ts'
import { faultName, holdsGuarantees, summaryLine, timelineOf, withoutLogs } from './experiment-report.ts'

const faults: readonly FaultKind[] = ['kill', 'pause']

/** `npm run bench -- mariadb-failover`: all clients under the same fault at the same time, measured the same way. */
export async function failoverBench(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['rounds', 'fault', 'detect', 'rate'])
  const rounds = positive(options['rounds'], 3, 'rounds')
  const chosenFaults = chosen(options['fault'], faults, faults)
  const rate = positive(options['rate'], 200, 'rate')
  const detectMs = detectMsOf(options['detect'], 1_000)
  return withCluster('bench', { mode: 'sequential', detectMs }, async (lab) => {
    const experiments = Array.from({ length: rounds }, (_, round) =>
      chosenFaults.map((fault) => ({ fault, ...shared(lab, round, rate) })),
    ).flat()
    const results: ExperimentResult[] = []
    try {
      await runSeries(experiments, { run: (one) => runExperiment(lab, one), summaryLine, results })
    } finally {
      report(results, lab, detectMs)
    }
    return results.every(({ clients }) =>
      clients.filter(({ name }) => name === ours.name).every(holdsGuarantees),
    )
  })
}

function shared(lab: Lab, round: number, rate: number): Omit<Experiment, 'fault'> {
  const nodes = lab.nodes.map(({ name }) => name)
  return {
    mode: 'sequential',
    role: 'writer',
    victim: nodes[round % nodes.length] ?? '',
    clientNames: clientAdapters.map(({ name }) => name),
    rates: { insert: rate, transfer: 0, read: 0, 'own-read': 0 },
    connections: 10,
    holdMs: 20_000,
    settleMs: 15_000,
  }
}

function report(results: readonly ExperimentResult[], lab: Lab, detectMs: number | undefined): void {
  const timers = detectMs === undefined ? 'default timers' : `--detect ${detectMs}ms`
  reportComparison({
    file: 'bench-mariadb-failover',
    title: `Failover on MariaDB ${lab.version}, Galera of three, ${timers}; all clients under the same fault at the same time`,
    clients: clientAdapters,
    columns,
    groups: groupedBy(results, faultName),
    timelineOf,
    dataOf: withoutLogs,
  })
}

const columns: readonly ClientColumn<ClientResult>[] = [
  ...darkColumns<ClientResult>('dark'),
  sumColumn('errors returned', ({ verdict }) => verdict.notDone + verdict.unknown),
  sumColumn('acknowledged and lost', ({ verdict }) => verdict.lost),
  sumColumn('applied twice', ({ verdict }) => verdict.twice),
  sumColumn('took over 10 s', ({ hung }) => hung),
  sumColumn('never settled', ({ verdict }) => verdict.unsettled),
  sumColumn('unhandled', ({ unhandled }) => unhandled.length),
]
