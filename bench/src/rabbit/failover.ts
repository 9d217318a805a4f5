import type { Lab } from '@ha/bootstrap'
import { chosen, positive, readOptions } from '../harness/args.ts'
import {
  type ClientColumn,
  darkColumns,
  type Faced,
  faredOf,
  reportComparison,
  sumColumn,
} from '../harness/comparison.ts'
import { withoutPartition } from '../harness/partition.ts'
import { groupedBy, runSeries } from '../harness/series.ts'
import { spread } from '../harness/stats.ts'
import { contestants } from './contestants.ts'
import { lineOf, withoutLedgers } from './drill.ts'
import {
  type Experiment,
  type ExperimentResult,
  type Fared,
  runExperiment,
  type VictimRole,
} from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import { faultKinds } from './faults.ts'
import { withLab } from './lab.ts'
import { ours } from './ours.ts'
import { kept } from './promises.ts'
import { queueKinds } from './queues.ts'

// What a peer can be compared in: the node that holds its connections fails, with the queue's leader or without.
const roles: readonly VictimRole[] = ['connections', 'leader and connections']

const comparable = withoutPartition(faultKinds)

// What two of the peers wait before they connect again, unless told otherwise; the third one's default is 5 s.
const documentedRetryMs = 1_000

/** `npm run bench -- rabbit-failover`: everybody under the same fault at the same time, with the same ruler. */
export async function failoverBench(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['rounds', 'fault', 'queue', 'retry-ms'])
  const retryMs = positive(options['retry-ms'], documentedRetryMs, 'retry-ms')
  const rounds = positive(options['rounds'], 3, 'rounds')
  const faults = chosen(options['fault'], comparable, comparable)
  const kinds = chosen(options['queue'], queueKinds, ['quorum'])
  return withLab('bench', async (lab) => {
    const experiments = Array.from({ length: rounds }, (_, round) =>
      kinds.flatMap((queueKind) =>
        roles.flatMap((role) =>
          faults.map((fault) => ({ queueKind, role, fault, ...shared(lab, round, retryMs) })),
        ),
      ),
    ).flat()
    const results: ExperimentResult[] = []
    try {
      await runSeries(experiments, { run: (one) => runExperiment(lab, one), lineOf, results })
    } finally {
      report(results, lab, retryMs)
    }
    return results.every(({ fared }) => fared.filter(({ name }) => name === ours.name).every(kept))
  })
}

function shared(lab: Lab, round: number, retryMs: number): Omit<Experiment, 'queueKind' | 'role' | 'fault'> {
  const nodes = lab.nodes.map(({ name }) => name)
  return {
    victim: nodes[round % nodes.length] ?? '',
    contestants: contestants.map(({ name }) => name),
    retryMs,
    // Four clients share two processors with three brokers: together they do what one does in the drill.
    ratePerSecond: 100,
    silentMs: 30_000,
  }
}

function report(results: readonly ExperimentResult[], lab: Lab, retryMs: number): void {
  reportComparison({
    file: 'bench-rabbit-failover',
    title: `Failover on RabbitMQ ${lab.version}, three nodes; all clients under the same fault at the same time`,
    clients: contestants.map(({ name, settings }) => ({ name, settings: settings(retryMs) })),
    columns,
    groups: groupedBy(
      results,
      ({ experiment: { queueKind, fault, role } }) => `${queueKind}, ${fault} of the ${role}`,
    ),
    pictureOf,
    kept: withoutLedgers,
  })
}

const columns: readonly ClientColumn<Fared>[] = [
  ...darkColumns<Fared>('dark'),
  ['x floor', (group, client) => ratio(group, client, ({ floorMs }) => floorMs)],
  [
    'x ours',
    (group, client) =>
      client === ours.name ? '' : ratio(group, client, (one) => faredOf([one], ours.name)[0]?.darkMs),
  ],
  sumColumn('confirmed and lost', ({ verdict }) => verdict.lost),
  sumColumn('not handled in time', ({ verdict }) => verdict.undelivered),
  sumColumn('rejected', ({ verdict }) => verdict.notDone + verdict.unknown),
  sumColumn('never settled', ({ verdict }) => verdict.unsettled),
  sumColumn('twice', ({ verdict }) => verdict.announcedDuplicates + verdict.unannouncedDuplicates),
  sumColumn('unhandled', ({ unhandled }) => unhandled.length),
]

// The median of a client's silence as a multiple of another one in the same fault.
function ratio(
  group: readonly Faced<Fared>[],
  client: string,
  against: (one: Faced<Fared>) => number | undefined,
): string {
  const ratios = group.flatMap((one) => {
    const base = against(one)
    const own = faredOf([one], client)[0]?.darkMs
    return base === undefined || own === undefined ? [] : [own / base]
  })
  return spread(ratios)?.median.toFixed(1) ?? ''
}
