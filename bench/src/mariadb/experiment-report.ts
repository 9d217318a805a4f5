import type { Lab } from '@ha/bootstrap'
import { groupedBy } from '../harness/comparison.ts'
import { describeViolations, markdownTable, saveResults } from '../harness/report.ts'
import { ms, spread } from '../harness/stats.ts'
import { drawTimeline } from '../harness/timeline.ts'
import { type ClientResult, readInstants, writeInstants } from './client-result.ts'
import type { ExperimentResult } from './experiment.ts'

/** Prints and saves what a drill came to. */
export function reportDrill(results: readonly ExperimentResult[], lab: Lab): void {
  const [first] = results
  if (first === undefined) return
  const groups = groupedBy(results, faultName)
  const head = ['fault', ...columns.map(([name]) => name)]
  const rows = groups.map(([name, group]) => [name, ...columns.map(([, cell]) => cell(group))])
  const table = markdownTable(head, rows)
  const title = `MariaDB ${lab.version}, three nodes, ${first.experiment.mode}: one client, all figures of it`
  const pictures = groups.map(([name, group]) => [name, timelineOf(worst(group))] as const)
  const where = saveResults('drill-mariadb', { title, table, pictures, data: results.map(withoutLogs) })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

type Group = readonly ExperimentResult[]
type Column = readonly [name: string, cell: (group: Group) => string]

const columns: readonly Column[] = [
  ['n', (group) => String(group.length)],
  ['dark, median', (group) => ms(spread(group.map(darkOf))?.median)],
  ['worst', (group) => ms(spread(group.map(darkOf))?.max)],
  ['floor, median', (group) => ms(spread(group.map(({ floorMs }) => floorMs ?? never))?.median)],
  ['within 1.5 x floor + 200 ms', (group) => `${group.filter(isWithinBound).length} of ${group.length}`],
  ['reads failed', (group) => total(group, ({ verdict }) => verdict.failedReads)],
  ['reads + p99, worst', (group) => worstOf(group, ({ readExtraMs }) => readExtraMs)],
  ['down after, worst', (group) => worstOf(group, ({ downAfterMs }) => downAfterMs)],
  ['survivors suspected', (group) => total(group, ({ suspected }) => suspected.length)],
  ['failovers, most', (group) => String(Math.max(...all(group).map(({ failovers }) => failovers)))],
  ['writes', (group) => total(group, ({ verdict }) => verdict.writes)],
  ['lost', (group) => total(group, ({ verdict }) => verdict.lost)],
  ['twice', (group) => total(group, ({ verdict }) => verdict.twice)],
  ['unsettled', (group) => total(group, ({ verdict }) => verdict.unsettled)],
  ['unhandled', (group) => total(group, ({ unhandled }) => unhandled.length)],
  [
    'not done (wrongly)',
    (group) =>
      pair(
        group,
        ({ notDone }) => notDone,
        ({ wronglyNotDone }) => wronglyNotDone,
      ),
  ],
  [
    'unknown (applied)',
    (group) =>
      pair(
        group,
        ({ unknown }) => unknown,
        ({ unknownButThere }) => unknownButThere,
      ),
  ],
  ['stale', (group) => total(group, ({ verdict }) => verdict.staleReads)],
  ['sums, nodes', (group) => (isWhole(group) ? 'exact, equal' : 'WRONG')],
]

const never = Number.POSITIVE_INFINITY

function all(group: Group): readonly ClientResult[] {
  return group.flatMap(({ clients }) => clients)
}

function darkOf({ clients }: ExperimentResult): number {
  return clients[0]?.darkMs ?? never
}

function isWithinBound(result: ExperimentResult): boolean {
  return darkOf(result) <= 1.5 * (result.floorMs ?? 0) + 200
}

function total(group: Group, of: (one: ClientResult) => number): string {
  return String(all(group).reduce((sum, one) => sum + of(one), 0))
}

function pair(
  group: Group,
  of: (one: ClientResult['verdict']) => number,
  inside: (one: ClientResult['verdict']) => number,
): string {
  return `${total(group, ({ verdict }) => of(verdict))} (${total(group, ({ verdict }) => inside(verdict))})`
}

function worstOf(group: Group, of: (one: ClientResult) => number | undefined): string {
  const most = spread(all(group).flatMap((one) => of(one) ?? []))?.max
  return most === undefined ? '' : ms(most)
}

function isWhole(group: Group): boolean {
  return all(group).every(({ verdict }) => verdict.wrongSums + verdict.unequalNodes === 0)
}

/** What was done to what. */
export function faultName({ experiment: { fault, role } }: ExperimentResult): string {
  return fault === 'restart' ? 'restart of all nodes' : `${fault} of the ${role}`
}

function worst(group: Group): ExperimentResult {
  return group.reduce((a, b) => (darkOf(b) > darkOf(a) ? b : a))
}

/** The result without its thousands of lines. */
export function withoutLogs(result: ExperimentResult): unknown {
  return { ...result, clients: result.clients.map(({ ops: _, ...rest }) => rest) }
}

/** One experiment in one line. */
export function summaryLine({ experiment, floorMs, clients }: ExperimentResult): string {
  const { fault, role, victim } = experiment
  return `${fault} of the ${role} (${victim}): ${clients.map(clientLine).join('; ')}; floor ${ms(floorMs)}`
}

function clientLine(one: ClientResult): string {
  const reads = one.readExtraMs === undefined ? '' : `, reads + ${ms(one.readExtraMs)}`
  const down = one.downAfterMs === undefined ? '' : `, down after ${ms(one.downAfterMs)}`
  const suspects = one.suspected.length === 0 ? '' : `, suspected ${one.suspected.join(' ')}`
  const shown = Object.entries(one.verdict.rejections).map(
    ([name, { shown: n, there }]) => `${n} x ${name} (${there} applied)`,
  )
  const errors = shown.length === 0 ? '' : ` [${shown.join(', ')}]`
  const broken = holdsGuarantees(one) ? '' : ` VIOLATED: ${violationsOf(one)}`
  return `${one.name} dark for ${ms(one.darkMs)}${reads}${down}${suspects}${errors}${broken}`
}

/** True when every guarantee to the caller held. */
export function holdsGuarantees(result: ClientResult): boolean {
  return violationsOf(result) === ''
}

/** The violated guarantees, as text. */
export function violationsOf({ verdict, unhandled, darkMs }: ClientResult): string {
  return describeViolations([
    [verdict.lost, 'acknowledged and lost'],
    [verdict.twice, 'applied twice'],
    [verdict.unsettled, 'never settled'],
    [verdict.wronglyNotDone, 'reported as not done although they were'],
    [verdict.wrongSums, 'nodes with a wrong sum'],
    [verdict.unequalNodes, 'nodes that differ'],
    [verdict.staleReads, 'stale reads'],
    [verdict.failedReads, 'failed reads'],
    [unhandled.length, `unhandled (${unhandled[0]})`],
    [darkMs === undefined ? 1 : 0, 'never recovered'],
  ])
}

/** What happened around the fault, as SVG: writes and reads of each client, the fault marked. */
export function timelineOf({ experiment, window, floorMs, clients }: ExperimentResult): string {
  const { mode, fault, role, victim } = experiment
  const { faultAtMs, healedAtMs } = window
  return drawTimeline({
    title: `${mode}, ${fault} of the ${role} (${victim}); floor ${ms(floorMs)}`,
    fromMs: faultAtMs - 2_000,
    toMs: healedAtMs + 2_000,
    tracks: clients.flatMap(({ name, ops }) => [
      { name: `${name} writes`, colour: '#26a', instants: writeInstants(ops) },
      { name: `${name} reads`, colour: '#2a6', instants: readInstants(ops) },
    ]),
    marks: [{ label: fault, fromMs: faultAtMs, toMs: healedAtMs }],
  })
}
