import type { Lab } from '@ha/bootstrap'
import { groupedBy } from '../harness/comparison.ts'
import { describeViolations, markdownTable, saveResults } from '../harness/report.ts'
import { ms, spread } from '../harness/stats.ts'
import { drawTimeline } from '../harness/timeline.ts'
import type { ClientResult, ExperimentResult } from './experiment.ts'
import { confirmInstants } from './message-log.ts'

/** True when every guarantee to the caller held. */
export function holdsGuarantees(result: ClientResult): boolean {
  return violationsOf(result) === ''
}

/** The violated guarantees, as text. */
export function violationsOf({ verdict, unhandled, darkMs }: ClientResult): string {
  const { lost, undelivered, unsettled, unannouncedDuplicates, handledAgain, wronglyNotDone, outOfOrder } =
    verdict
  return describeViolations([
    [lost, 'confirmed and lost'],
    [undelivered, 'confirmed and not handled in time'],
    [unsettled, 'never settled'],
    [unannouncedDuplicates, 'stored twice without notice'],
    [handledAgain, 'handled again in the same process'],
    [wronglyNotDone, 'reported as not done although they were'],
    [outOfOrder, 'out of order'],
    [unhandled.length, `unhandled (${unhandled[0]})`],
    [darkMs === undefined ? 1 : 0, 'never recovered'],
  ])
}

/** What happened around the fault, as SVG: confirms and deliveries of each client, the fault marked. */
export function timelineOf({
  experiment,
  faultAtMs,
  healedAtMs,
  floorMs,
  clients,
}: ExperimentResult): string {
  const { queueKind, fault, role, victim } = experiment
  return drawTimeline({
    title: `${queueKind} queue, ${fault} of the ${role} (${victim}); floor ${ms(floorMs)}`,
    fromMs: faultAtMs - 2_000,
    toMs: healedAtMs + 2_000,
    tracks: clients.flatMap(({ name, log }) => [
      { name: `${name} confirms`, colour: '#26a', instants: confirmInstants(log) },
      { name: `${name} deliveries`, colour: '#2a6', instants: log.consumed.map(({ atMs }) => atMs) },
    ]),
    marks: [{ label: fault, fromMs: faultAtMs, toMs: healedAtMs }],
  })
}

/** One experiment in one line. */
export function summaryLine({ experiment, floorMs, clients }: ExperimentResult): string {
  const { queueKind, fault, role, victim } = experiment
  const each = clients.map(
    (one) => `${one.name} ${ms(one.darkMs)}${holdsGuarantees(one) ? '' : ` VIOLATED: ${violationsOf(one)}`}`,
  )
  return `${queueKind}, ${fault} of the ${role} (${victim}): dark ${each.join(', ')}; floor ${ms(floorMs)}`
}

/** Prints and saves the results of a drill. */
export function reportDrill(results: readonly ExperimentResult[], lab: Lab): void {
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
  const pictures = grouped(results).map(([name, group]) => [name, timelineOf(worst(group))] as const)
  const where = saveResults('drill-rabbit', { title, table, pictures, data: results.map(withoutLogs) })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

function rowOf(name: string, group: readonly ExperimentResult[]): readonly string[] {
  const clients = group.flatMap((result) => result.clients)
  const dark = spread(clients.flatMap(({ darkMs }) => (darkMs === undefined ? [] : [darkMs])))
  const floor = spread(group.flatMap(({ floorMs }) => (floorMs === undefined ? [] : [floorMs])))
  const ratios = group.flatMap(({ floorMs, clients: each }) =>
    each.flatMap(({ darkMs }) => (floorMs === undefined || darkMs === undefined ? [] : [darkMs / floorMs])),
  )
  const total = (of: (one: ClientResult['verdict']) => number): string =>
    String(clients.reduce((sum, { verdict }) => sum + of(verdict), 0))
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
  const dark = ({ clients }: ExperimentResult): number =>
    Math.max(...clients.map(({ darkMs }) => darkMs ?? Number.POSITIVE_INFINITY))
  return group.reduce((a, b) => (dark(b) > dark(a) ? b : a))
}

/** The result without its thousands of lines. */
export function withoutLogs(result: ExperimentResult): unknown {
  return { ...result, clients: result.clients.map(({ log: _, ...rest }) => rest) }
}
