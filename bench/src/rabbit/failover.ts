import type { Lab } from '@ha/bootstrap'
import { chosen, positive, readOptions } from '../harness/args.ts'
import {
  type ClientColumn,
  type ComparedFault,
  darkColumns,
  groupedBy,
  reportComparison,
  resultsOf,
  runSeries,
  sumColumn,
} from '../harness/comparison.ts'
import { withoutPartition } from '../harness/sandbox.ts'
import { spread } from '../harness/stats.ts'
import { clientAdapters, ours } from './clients.ts'
import { faultKinds, withRabbitCluster } from './cluster.ts'
import {
  type ClientResult,
  type Experiment,
  type ExperimentResult,
  runExperiment,
  type VictimRole,
} from './experiment.ts'
import { holdsGuarantees, summaryLine, timelineOf, withoutLogs } from './experiment-report.ts'
import { queueKinds } from './queues.ts'

// What a peer can be compared in: the node that holds its connections fails, with the queue's leader or without.
const roles: readonly VictimRole[] = ['connections', 'leader and connections']

const comparable = withoutPartition(faultKinds)

// What two of the peers wait before they connect again by default; the third one's default is 5 s.
const documentedRetryMs = 1_000

/** `npm run bench -- rabbit-failover`: all clients under the same fault at the same time, measured the same way. */
export async function failoverBench(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['rounds', 'fault', 'queue', 'retry-ms'])
  const retryMs = positive(options['retry-ms'], documentedRetryMs, 'retry-ms')
  const rounds = positive(options['rounds'], 3, 'rounds')
  const faults = chosen(options['fault'], comparable, comparable)
  const kinds = chosen(options['queue'], queueKinds, ['quorum'])
  return withRabbitCluster('bench', async (lab) => {
    const experiments = Array.from({ length: rounds }, (_, round) =>
      kinds.flatMap((queueKind) =>
        roles.flatMap((role) =>
          faults.map((fault) => ({ queueKind, role, fault, ...shared(lab, round, retryMs) })),
        ),
      ),
    ).flat()
    const results: ExperimentResult[] = []
    try {
      await runSeries(experiments, { run: (one) => runExperiment(lab, one), summaryLine, results })
    } finally {
      report(results, lab, retryMs)
    }
    return results.every(({ clients }) =>
      clients.filter(({ name }) => name === ours.name).every(holdsGuarantees),
    )
  })
}

function shared(lab: Lab, round: number, retryMs: number): Omit<Experiment, 'queueKind' | 'role' | 'fault'> {
  const nodes = lab.nodes.map(({ name }) => name)
  return {
    victim: nodes[round % nodes.length] ?? '',
    clientNames: clientAdapters.map(({ name }) => name),
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
    clients: clientAdapters.map(({ name, settings }) => ({ name, settings: settings(retryMs) })),
    columns,
    groups: groupedBy(
      results,
      ({ experiment: { queueKind, fault, role } }) => `${queueKind}, ${fault} of the ${role}`,
    ),
    timelineOf,
    dataOf: withoutLogs,
  })
}

const columns: readonly ClientColumn<ClientResult>[] = [
  ...darkColumns<ClientResult>('dark'),
  ['x floor', (group, client) => ratio(group, client, ({ floorMs }) => floorMs)],
  [
    'x ours',
    (group, client) =>
      client === ours.name ? '' : ratio(group, client, (one) => resultsOf([one], ours.name)[0]?.darkMs),
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
  group: readonly ComparedFault<ClientResult>[],
  client: string,
  against: (one: ComparedFault<ClientResult>) => number | undefined,
): string {
  const ratios = group.flatMap((one) => {
    const base = against(one)
    const own = resultsOf([one], client)[0]?.darkMs
    return base === undefined || own === undefined ? [] : [own / base]
  })
  return spread(ratios)?.median.toFixed(1) ?? ''
}
