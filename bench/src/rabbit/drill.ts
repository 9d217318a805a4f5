import type { Lab } from '@ha/bootstrap'
import { chosen, positive, readOptions } from '../harness/args.ts'
import { runWhereFaultsCanBe, withoutPartition } from '../harness/partition.ts'
import { saveResults } from '../harness/results.ts'
import { groupedBy, runSeries } from '../harness/series.ts'
import { ms, spread } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { dealExperiments, type Series } from './deal.ts'
import { type ExperimentResult, type Fared, runExperiment } from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import { faultKinds } from './faults.ts'
import { withLab } from './lab.ts'
import { ours } from './ours.ts'
import { brokenPromises, kept } from './promises.ts'
import { queueKinds } from './queues.ts'

const optionNames = ['faults', 'fault', 'queue', 'rate']

/** `npm run drill -- rabbit`: faults under traffic on a real cluster; false when one promise was not kept. */
export async function rabbitDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, optionNames)
  const series = {
    faults: positive(options['faults'], 20, 'faults'),
    queueKinds: chosen(options['queue'], queueKinds, queueKinds),
    ratePerSecond: positive(options['rate'], 500, 'rate'),
    contestants: [ours.name],
    retryMs: 1_000,
    silentMs: 12_000,
  }
  const wanted = chosen(options['fault'], faultKinds, withoutPartition(faultKinds))
  return runWhereFaultsCanBe(wanted, (kinds) => drill({ ...series, faultKinds: kinds }))
}

function drill(series: Omit<Series, 'nodes'>): Promise<boolean> {
  return withLab('drill', async (lab) => {
    const nodes = lab.nodes.map(({ name }) => name)
    const results: ExperimentResult[] = []
    try {
      await runSeries(dealExperiments({ ...series, nodes }), {
        run: (one) => runExperiment(lab, one),
        lineOf,
        results,
      })
    } finally {
      report(results, lab)
    }
    return results.every(({ fared }) => fared.every(kept))
  })
}

/** One experiment in one line. */
export function lineOf({ experiment, floorMs, fared }: ExperimentResult): string {
  const { queueKind, fault, role, victim } = experiment
  const each = fared.map(
    (one) => `${one.name} ${ms(one.darkMs)}${kept(one) ? '' : ` NOT KEPT: ${brokenPromises(one)}`}`,
  )
  return `${queueKind}, ${fault} of the ${role} (${victim}): dark ${each.join(', ')}; floor ${ms(floorMs)}`
}

function report(results: readonly ExperimentResult[], lab: Lab): void {
  const head = [
    'queue',
    'fault of the',
    'n',
    'dark, median',
    'worst',
    'floor, median',
    'x floor',
    'messages',
    'lost',
    'unsettled',
    'twice, announced',
    'twice, not announced',
    'order',
  ]
  const rows = grouped(results).map(([name, group]) => rowOf(name, group))
  const table = markdownTable(head, rows)
  if (results.length === 0) return
  const title = `RabbitMQ ${lab.version}, three nodes, one publisher and one consumer`
  const pictures = grouped(results).map(([name, group]) => [name, pictureOf(worst(group))] as const)
  const where = saveResults('drill-rabbit', { title, table, pictures, data: results.map(withoutLedgers) })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

function rowOf(name: string, group: readonly ExperimentResult[]): readonly string[] {
  const fared = group.flatMap((result) => result.fared)
  const dark = spread(fared.flatMap(({ darkMs }) => (darkMs === undefined ? [] : [darkMs])))
  const floor = spread(group.flatMap(({ floorMs }) => (floorMs === undefined ? [] : [floorMs])))
  const ratios = group.flatMap(({ floorMs, fared: each }) =>
    each.flatMap(({ darkMs }) => (floorMs === undefined || darkMs === undefined ? [] : [darkMs / floorMs])),
  )
  const total = (of: (one: Fared['verdict']) => number): string =>
    String(fared.reduce((sum, { verdict }) => sum + of(verdict), 0))
  const [queue = '', rest = ''] = name.split(', ')
  return [
    queue,
    rest,
    String(group.length),
    ms(dark?.median),
    ms(dark?.max),
    ms(floor?.median),
    spread(ratios)?.median.toFixed(2) ?? '',
    total(({ sent }) => sent),
    total(({ lost }) => lost),
    total(({ unsettled }) => unsettled),
    total(({ announcedDuplicates }) => announcedDuplicates),
    total(({ unannouncedDuplicates }) => unannouncedDuplicates),
    total(({ outOfOrder }) => outOfOrder) === '0' ? 'kept' : 'broken',
  ]
}

function grouped(
  results: readonly ExperimentResult[],
): readonly (readonly [string, readonly ExperimentResult[]])[] {
  const groups = groupedBy(
    results,
    ({ experiment: { queueKind, fault, role } }) => `${queueKind}, ${fault} ${role}`,
  )
  return [...groups].sort(([a], [b]) => a.localeCompare(b))
}

function worst(group: readonly ExperimentResult[]): ExperimentResult {
  const dark = ({ fared }: ExperimentResult): number =>
    Math.max(...fared.map(({ darkMs }) => darkMs ?? Number.POSITIVE_INFINITY))
  return group.reduce((a, b) => (dark(b) > dark(a) ? b : a))
}

/** The result without its thousands of lines. */
export function withoutLedgers(result: ExperimentResult): unknown {
  return { ...result, fared: result.fared.map(({ ledger: _, ...rest }) => rest) }
}
