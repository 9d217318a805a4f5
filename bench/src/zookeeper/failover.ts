import { positive, readOptions } from '../harness/args.ts'
import {
  type ClientColumn,
  darkColumns,
  faredOf,
  reportComparison,
  sumColumn,
} from '../harness/comparison.ts'
import { groupedBy, runSeries } from '../harness/series.ts'
import { ms } from '../harness/stats.ts'
import type { ContestantMaker } from './contestant.ts'
import { entrants } from './contestants.ts'
import { withoutOps } from './drill-report.ts'
import { detectMs, withEnsemble } from './ensemble.ts'
import { type Experiment, type ExperimentResult, runExperiment } from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import type { Fared } from './fared.ts'
import { roles } from './faults.ts'
import { kept } from './promises.ts'
import { lineOf, nameOf } from './result-line.ts'

const faults = ['kill', 'pause'] as const
const sessionTimeoutMs = 4_000

/** `npm run bench -- zookeeper-failover`: everybody under the same fault at the same time, with the same ruler. */
export async function failoverBench(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['rounds', 'rate'])
  const rounds = positive(options['rounds'], 3, 'rounds')
  const rate = positive(options['rate'], 50, 'rate')
  const makers = await entrants()
  const shared = {
    contestants: makers.map(({ name }) => name),
    rates: { create: rate, sequence: 0, set: 0, read: rate },
    sessionTimeoutMs,
    hasCast: false,
    holdMs: 12_000,
    mostMs: 20_000,
  }
  const round = roles.flatMap((role) => faults.map((fault): Experiment => ({ ...shared, fault, role })))
  return withEnsemble('bench', async (lab) => {
    const results: ExperimentResult[] = []
    try {
      const all = Array.from({ length: rounds }, () => round).flat()
      await runSeries(all, { run: (one) => runExperiment(lab, one), lineOf, results })
    } finally {
      report(results, makers, lab.version)
    }
    return results.every(kept)
  })
}

function report(
  results: readonly ExperimentResult[],
  makers: readonly ContestantMaker[],
  version: string,
): void {
  reportComparison({
    file: 'bench-zookeeper-failover',
    title: `Failover on ZooKeeper ${version}, three servers, --detect ${detectMs}ms, sessions of ${ms(sessionTimeoutMs)}; all clients under the same fault at the same time`,
    clients: makers,
    columns,
    groups: groupedBy(results, ({ experiment }) => nameOf(experiment)),
    pictureOf,
    kept: withoutOps,
  })
}

const columns: readonly ClientColumn<Fared>[] = [
  ...darkColumns<Fared>('first write after'),
  sumColumn(
    'errors shown',
    ({ verdict: { notDone, unknown, failedReads } }) => notDone + unknown + failedReads,
  ),
  sumColumn('past their deadline', ({ hung }) => hung),
  sumColumn('never settled', ({ verdict }) => verdict.unsettled),
  sumColumn('acknowledged and lost', ({ verdict }) => verdict.lost),
  [
    'sessions kept',
    (group, client) =>
      `${faredOf(group, client).filter(({ isSessionKept }) => isSessionKept).length} of ${group.length}`,
  ],
  sumColumn('unhandled', ({ unhandled }) => unhandled.length),
]
