import type { Lab } from '@ha/bootstrap'
import { saveResults } from '../harness/results.ts'
import { groupedBy } from '../harness/series.ts'
import { ms, spread } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import type { ExperimentResult } from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import type { Fared } from './fared.ts'

/** Prints and saves what a drill came to. */
export function reportDrill(results: readonly ExperimentResult[], lab: Lab): void {
  const [first] = results
  if (first === undefined) return
  const groups = groupedBy(results, nameOf)
  const head = ['fault', ...columns.map(([name]) => name)]
  const rows = groups.map(([name, group]) => [name, ...columns.map(([, cell]) => cell(group))])
  const table = markdownTable(head, rows)
  const title = `MariaDB ${lab.version}, three nodes, ${first.experiment.mode}: one client, all figures of it`
  const pictures = groups.map(([name, group]) => [name, pictureOf(worst(group))] as const)
  const where = saveResults('drill-mariadb', { title, table, pictures, data: results.map(withoutOps) })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

type Group = readonly ExperimentResult[]
type Column = readonly [name: string, cell: (group: Group) => string]

const columns: readonly Column[] = [
  ['n', (group) => String(group.length)],
  ['first write after, median', (group) => ms(spread(group.map(darkOf))?.median)],
  ['worst', (group) => ms(spread(group.map(darkOf))?.max)],
  ['floor, median', (group) => ms(spread(group.map(({ floorMs }) => floorMs ?? never))?.median)],
  ['within 1.5 x floor + 200 ms', (group) => `${group.filter(isWithinBound).length} of ${group.length}`],
  ['reads failed', (group) => total(group, ({ verdict }) => verdict.failedReads)],
  ['reads + p99, worst', (group) => worstOf(group, ({ readExtraMs }) => readExtraMs)],
  ['down after, worst', (group) => worstOf(group, ({ downAfterMs }) => downAfterMs)],
  ['survivors doubted', (group) => total(group, ({ doubted }) => doubted.length)],
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
    'unknown (there)',
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

function all(group: Group): readonly Fared[] {
  return group.flatMap(({ fared }) => fared)
}

function darkOf({ fared }: ExperimentResult): number {
  return fared[0]?.darkMs ?? never
}

function isWithinBound(result: ExperimentResult): boolean {
  return darkOf(result) <= 1.5 * (result.floorMs ?? 0) + 200
}

function total(group: Group, of: (one: Fared) => number): string {
  return String(all(group).reduce((sum, one) => sum + of(one), 0))
}

function pair(
  group: Group,
  of: (one: Fared['verdict']) => number,
  inside: (one: Fared['verdict']) => number,
): string {
  return `${total(group, ({ verdict }) => of(verdict))} (${total(group, ({ verdict }) => inside(verdict))})`
}

function worstOf(group: Group, of: (one: Fared) => number | undefined): string {
  const most = spread(all(group).flatMap((one) => of(one) ?? []))?.max
  return most === undefined ? '' : ms(most)
}

function isWhole(group: Group): boolean {
  return all(group).every(({ verdict }) => verdict.wrongSums + verdict.unequalNodes === 0)
}

/** What was done to what. */
export function nameOf({ experiment: { fault, role } }: ExperimentResult): string {
  return fault === 'restart' ? 'restart of all nodes' : `${fault} of the ${role}`
}

function worst(group: Group): ExperimentResult {
  return group.reduce((a, b) => (darkOf(b) > darkOf(a) ? b : a))
}

/** The result without its thousands of lines. */
export function withoutOps(result: ExperimentResult): unknown {
  return { ...result, fared: result.fared.map(({ ops: _, ...rest }) => rest) }
}
