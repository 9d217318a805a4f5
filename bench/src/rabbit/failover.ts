import type { Lab } from '@ha/bootstrap'
import { chosen, positive, readOptions } from '../harness/args.ts'
import { withoutPartition } from '../harness/partition.ts'
import { saveResults } from '../harness/results.ts'
import { ms, spread } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { contestants } from './contestants.ts'
import { runExperiments, withoutLedgers } from './drill.ts'
import type { Experiment, ExperimentResult, Fared, VictimRole } from './experiment.ts'
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
      await runExperiments(lab, experiments, results)
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
  if (results.length === 0) return
  const cells = new Map<string, ExperimentResult[]>()
  for (const result of results) {
    const { queueKind, fault, role } = result.experiment
    const name = `${queueKind}, ${fault} of the ${role}`
    cells.set(name, [...(cells.get(name) ?? []), result])
  }
  const head = [
    'fault',
    'client',
    'n',
    'dark, median',
    'worst',
    'x floor',
    'x ours',
    'confirmed and lost',
    'not handled in time',
    'rejected',
    'never settled',
    'twice',
    'unhandled',
  ]
  const rows = [...cells].flatMap(([name, group]) =>
    contestants.map((contestant) => rowOf(name, group, contestant.name)),
  )
  const settings = contestants
    .map((contestant) => `- ${contestant.name}: ${contestant.settings(retryMs)}`)
    .join('\n')
  const title = `Failover on RabbitMQ ${lab.version}, three nodes; all clients under the same fault at the same time`
  const table = `${markdownTable(head, rows)}\n\n${settings}`
  const pictures = [...cells].map(
    ([name, [first]]) => [name, first === undefined ? '' : pictureOf(first)] as const,
  )
  const where = saveResults('bench-rabbit-failover', {
    title,
    table,
    pictures,
    data: results.map(withoutLedgers),
  })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

function rowOf(name: string, group: readonly ExperimentResult[], client: string): readonly string[] {
  const ourName = contestants[0]?.name
  const of = (result: ExperimentResult, who: string | undefined): Fared | undefined =>
    result.fared.find((fared) => fared.name === who)
  const fared = group.flatMap((result) => of(result, client) ?? [])
  const dark = spread(fared.map(({ darkMs }) => darkMs ?? Number.POSITIVE_INFINITY))
  const ratio = (against: (result: ExperimentResult) => number | undefined): string => {
    const ratios = group.flatMap((result) => {
      const base = against(result)
      const own = of(result, client)?.darkMs
      return base === undefined || own === undefined ? [] : [own / base]
    })
    return spread(ratios)?.median.toFixed(1) ?? ''
  }
  const total = (count: (one: Fared) => number): string =>
    String(fared.reduce((sum, one) => sum + count(one), 0))
  return [
    name,
    client,
    String(group.length),
    ms(dark?.median),
    ms(dark?.max),
    ratio(({ floorMs }) => floorMs),
    client === ourName ? '' : ratio((result) => of(result, ourName)?.darkMs),
    total(({ verdict }) => verdict.lost),
    total(({ verdict }) => verdict.undelivered),
    total(({ verdict }) => verdict.notDone + verdict.unknown),
    total(({ verdict }) => verdict.unsettled),
    total(({ verdict }) => verdict.announcedDuplicates + verdict.unannouncedDuplicates),
    total(({ unhandled }) => unhandled.length),
  ]
}
