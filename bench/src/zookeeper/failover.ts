import { positive, readOptions } from '../harness/args.ts'
import {
  type ClientColumn,
  darkColumns,
  groupedBy,
  reportComparison,
  resultsOf,
  runSeries,
  sumColumn,
} from '../harness/comparison.ts'
import { ms } from '../harness/stats.ts'
import type { ClientResult } from './client-result.ts'
import { availableClients, type ClientAdapter } from './clients.ts'
import { detectMs, roles, withEnsemble } from './ensemble.ts'
import { type Experiment, type ExperimentResult, runExperiment } from './experiment.ts'
import { faultName, holdsGuarantees, summaryLine, timelineOf, withoutLogs } from './experiment-report.ts'

const faults = ['kill', 'pause'] as const
const sessionTimeoutMs = 4_000

/** `npm run bench -- zookeeper-failover`: all clients under the same fault at the same time, measured the same way. */
export async function failoverBench(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['rounds', 'rate'])
  const rounds = positive(options['rounds'], 3, 'rounds')
  const rate = positive(options['rate'], 50, 'rate')
  const adapters = await availableClients()
  const shared = {
    clientNames: adapters.map(({ name }) => name),
    rates: { create: rate, sequence: 0, set: 0, read: rate },
    sessionTimeoutMs,
    hasRecipes: false,
    holdMs: 12_000,
    maxFaultMs: 20_000,
  }
  const round = roles.flatMap((role) => faults.map((fault): Experiment => ({ ...shared, fault, role })))
  return withEnsemble('bench', async (lab) => {
    const results: ExperimentResult[] = []
    try {
      const all = Array.from({ length: rounds }, () => round).flat()
      await runSeries(all, { run: (one) => runExperiment(lab, one), summaryLine, results })
    } finally {
      report(results, adapters, lab.version)
    }
    return results.every(holdsGuarantees)
  })
}

function report(
  results: readonly ExperimentResult[],
  adapters: readonly ClientAdapter[],
  version: string,
): void {
  reportComparison({
    file: 'bench-zookeeper-failover',
    title: `Failover on ZooKeeper ${version}, three servers, --detect ${detectMs}ms, sessions of ${ms(sessionTimeoutMs)}; all clients under the same fault at the same time`,
    clients: adapters,
    columns,
    groups: groupedBy(results, ({ experiment }) => faultName(experiment)),
    timelineOf,
    dataOf: withoutLogs,
  })
}

const columns: readonly ClientColumn<ClientResult>[] = [
  ...darkColumns<ClientResult>('dark'),
  sumColumn(
    'errors returned',
    ({ verdict: { notDone, unknown, failedReads } }) => notDone + unknown + failedReads,
  ),
  sumColumn('past their deadline', ({ hung }) => hung),
  sumColumn('never settled', ({ verdict }) => verdict.unsettled),
  sumColumn('acknowledged and lost', ({ verdict }) => verdict.lost),
  [
    'sessions kept',
    (group, client) =>
      `${resultsOf(group, client).filter(({ isSessionKept }) => isSessionKept).length} of ${group.length}`,
  ],
  sumColumn('unhandled', ({ unhandled }) => unhandled.length),
]
