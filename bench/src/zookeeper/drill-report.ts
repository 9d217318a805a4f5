import { saveResults } from '../harness/results.ts'
import { groupedBy } from '../harness/series.ts'
import { ms, spread } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { boundMs } from './bound.ts'
import { type CastVerdict, instanceCount } from './cast.ts'
import type { ExperimentResult } from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import type { Fared } from './fared.ts'
import { nameOf } from './result-line.ts'

/** Prints and saves what a drill came to. */
export function reportDrill(results: readonly ExperimentResult[], version: string): void {
  const [first] = results
  if (first === undefined) return
  const groups = groupedBy(results, ({ experiment }) => nameOf(experiment))
  const tables = [clientColumns, castColumns].map((columns) => {
    const head = ['fault', ...columns.map(([name]) => name)]
    const rows = groups.map(([name, group]) => [name, ...columns.map(([, cell]) => cell(group))])
    return markdownTable(head, rows)
  })
  const { sessionTimeoutMs } = first.experiment
  const title = `ZooKeeper ${version}, three servers, sessions of ${ms(sessionTimeoutMs)}: one client under traffic, and a lock, a registry and caches beside it`
  const table = tables.join('\n\n')
  const pictures = groups.map(([name, group]) => [name, pictureOf(worst(group))] as const)
  const data = results.map(withoutOps)
  const where = saveResults('drill-zookeeper', { title, table, pictures, data })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

/** The result without its thousands of lines. */
export function withoutOps(result: ExperimentResult): unknown {
  return { ...result, fared: result.fared.map(({ ops: _, ...rest }) => rest) }
}

type Group = readonly ExperimentResult[]
type Column = readonly [name: string, cell: (group: Group) => string]

const clientColumns: readonly Column[] = [
  ['n', (group) => String(group.length)],
  ['first write after, median', (group) => ms(spread(group.map(darkOf))?.median)],
  ['worst', (group) => ms(spread(group.map(darkOf))?.max)],
  ['floor, median', (group) => floorOf(group)],
  ['in time', (group) => `${group.filter((one) => darkOf(one) <= boundMs(one)).length} of ${group.length}`],
  ['moved after, worst', (group) => worstMove(group)],
  [
    'sessions kept',
    (group) => `${clients(group).filter(({ isSessionKept }) => isSessionKept).length} of ${group.length}`,
  ],
  ['states', (group) => statesOf(group)],
  ['writes', (group) => total(group, ({ verdict }) => verdict.writes)],
  ['lost', (group) => total(group, ({ verdict }) => verdict.lost)],
  ['made twice', (group) => total(group, ({ verdict }) => verdict.twice)],
  ['not done', (group) => total(group, ({ verdict }) => verdict.notDone)],
  ['lies', (group) => total(group, ({ verdict }) => verdict.wronglyNotDone)],
  ['unknown', (group) => total(group, ({ verdict }) => verdict.unknown)],
  ['of them there', (group) => total(group, ({ verdict }) => verdict.unknownButThere)],
  ['unsettled', (group) => total(group, ({ verdict }) => verdict.unsettled)],
  ['past their deadline', (group) => total(group, ({ hung }) => hung)],
  ['reads failed', (group) => total(group, ({ verdict }) => verdict.failedReads)],
  ['unhandled', (group) => total(group, ({ unhandled }) => unhandled.length)],
]

const castColumns: readonly Column[] = [
  ['lock had', (group) => sum(group, ({ leases }) => leases.acquired)],
  ['two valid at once', (group) => sum(group, ({ leases }) => leases.overlaps)],
  ['valid turned away', (group) => sum(group, ({ leases }) => leases.rejectedValid)],
  ['stale taken', (group) => sum(group, ({ leases }) => leases.acceptedStale)],
  ['stale turned away', (group) => sum(group, ({ leases }) => leases.rejectedStale)],
  ['told after a rival had it', (group) => sum(group, ({ leases }) => leases.signalledLate)],
  ['valid after a freeze', (group) => thawsOf(group)],
  [
    'registered',
    (group) => `${sum(group, ({ registered }) => registered)} of ${instanceCount * group.length}`,
  ],
  ['fewest in the view', (group) => String(Math.min(...casts(group).map((one) => one.fewestInstances)))],
  ['nobody to be picked', (group) => sum(group, ({ emptyPicks }) => emptyPicks)],
  ['caches that differ', (group) => sum(group, ({ differences }) => differences.length)],
  ['sessions lost', (group) => sum(group, ({ sessionsLost }) => sessionsLost)],
  ['unhandled', (group) => sum(group, ({ unhandled }) => unhandled.length)],
]

function clients(group: Group): readonly Fared[] {
  return group.flatMap(({ fared }) => fared)
}

function casts(group: Group): readonly CastVerdict[] {
  return group.flatMap(({ cast }) => cast ?? [])
}

function darkOf({ fared }: ExperimentResult): number {
  return fared[0]?.darkMs ?? Number.POSITIVE_INFINITY
}

function floorOf(group: Group): string {
  const floors = spread(group.flatMap(({ floorMs }) => floorMs ?? []))
  return floors === undefined ? '' : ms(floors.median)
}

function worstMove(group: Group): string {
  const most = spread(clients(group).flatMap(({ movedAfterMs }) => movedAfterMs ?? []))?.max
  return most === undefined ? 'stayed' : ms(most)
}

function statesOf(group: Group): string {
  return [...new Set(clients(group).map(({ states }) => states.join(' ')))].join(' / ')
}

function thawsOf(group: Group): string {
  const thaws = casts(group).flatMap(({ leases }) => leases.thaws)
  return thaws.length === 0 ? '' : `${thaws.filter(({ wasValid }) => wasValid).length} of ${thaws.length}`
}

function total(group: Group, of: (one: Fared) => number): string {
  return String(clients(group).reduce((all, one) => all + of(one), 0))
}

function sum(group: Group, of: (one: CastVerdict) => number): string {
  return String(casts(group).reduce((all, one) => all + of(one), 0))
}

function worst(group: Group): ExperimentResult {
  return group.reduce((a, b) => (darkOf(b) > darkOf(a) ? b : a))
}
