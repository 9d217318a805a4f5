import { groupedBy } from '../harness/comparison.ts'
import { describeViolations, markdownTable, saveResults, type Violation } from '../harness/report.ts'
import { ms, spread } from '../harness/stats.ts'
import { drawTimeline } from '../harness/timeline.ts'
import { type ClientResult, readInstants, writeInstants } from './client-result.ts'
import { ours } from './clients.ts'
import type { Experiment, ExperimentResult } from './experiment.ts'
import { instanceCount, type RecipeVerdict } from './recipes.ts'

/** Prints and saves what a drill came to. */
export function reportDrill(results: readonly ExperimentResult[], version: string): void {
  const [first] = results
  if (first === undefined) return
  const groups = groupedBy(results, ({ experiment }) => faultName(experiment))
  const tables = [clientColumns, recipeColumns].map((columns) => {
    const head = ['fault', ...columns.map(([name]) => name)]
    const rows = groups.map(([name, group]) => [name, ...columns.map(([, cell]) => cell(group))])
    return markdownTable(head, rows)
  })
  const { sessionTimeoutMs } = first.experiment
  const title = `ZooKeeper ${version}, three servers, sessions of ${ms(sessionTimeoutMs)}: one client under traffic, and a lock, a registry and caches beside it`
  const table = tables.join('\n\n')
  const pictures = groups.map(([name, group]) => [name, timelineOf(worst(group))] as const)
  const data = results.map(withoutLogs)
  const where = saveResults('drill-zookeeper', { title, table, pictures, data })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

/** The result without its thousands of lines. */
export function withoutLogs(result: ExperimentResult): unknown {
  return { ...result, clients: result.clients.map(({ ops: _, ...rest }) => rest) }
}

type Group = readonly ExperimentResult[]
type Column = readonly [name: string, cell: (group: Group) => string]

const clientColumns: readonly Column[] = [
  ['n', (group) => String(group.length)],
  ['dark, median', (group) => ms(spread(group.map(darkOf))?.median)],
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
  ['falsely not done', (group) => total(group, ({ verdict }) => verdict.wronglyNotDone)],
  ['unknown', (group) => total(group, ({ verdict }) => verdict.unknown)],
  ['of them applied', (group) => total(group, ({ verdict }) => verdict.unknownButThere)],
  ['unsettled', (group) => total(group, ({ verdict }) => verdict.unsettled)],
  ['past their deadline', (group) => total(group, ({ hung }) => hung)],
  ['reads failed', (group) => total(group, ({ verdict }) => verdict.failedReads)],
  ['unhandled', (group) => total(group, ({ unhandled }) => unhandled.length)],
]

const recipeColumns: readonly Column[] = [
  ['lock acquired', (group) => sum(group, ({ leases }) => leases.acquired)],
  ['valid at the same time', (group) => sum(group, ({ leases }) => leases.overlaps)],
  ['valid rejected', (group) => sum(group, ({ leases }) => leases.rejectedValid)],
  ['stale accepted', (group) => sum(group, ({ leases }) => leases.acceptedStale)],
  ['stale rejected', (group) => sum(group, ({ leases }) => leases.rejectedStale)],
  ['notified after the next holder', (group) => sum(group, ({ leases }) => leases.signalledLate)],
  ['valid after a freeze', (group) => thawsOf(group)],
  [
    'registered',
    (group) => `${sum(group, ({ registered }) => registered)} of ${instanceCount * group.length}`,
  ],
  [
    'fewest in the view',
    (group) => String(Math.min(...recipeVerdicts(group).map((one) => one.fewestInstances))),
  ],
  ['empty picks', (group) => sum(group, ({ emptyPicks }) => emptyPicks)],
  ['caches that differ', (group) => sum(group, ({ differences }) => differences.length)],
  ['sessions lost', (group) => sum(group, ({ sessionsLost }) => sessionsLost)],
  ['unhandled', (group) => sum(group, ({ unhandled }) => unhandled.length)],
]

function clients(group: Group): readonly ClientResult[] {
  return group.flatMap(({ clients }) => clients)
}

function recipeVerdicts(group: Group): readonly RecipeVerdict[] {
  return group.flatMap(({ recipes }) => recipes ?? [])
}

function darkOf({ clients }: ExperimentResult): number {
  return clients[0]?.darkMs ?? Number.POSITIVE_INFINITY
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
  const thaws = recipeVerdicts(group).flatMap(({ leases }) => leases.thaws)
  return thaws.length === 0 ? '' : `${thaws.filter(({ wasValid }) => wasValid).length} of ${thaws.length}`
}

function total(group: Group, of: (one: ClientResult) => number): string {
  return String(clients(group).reduce((all, one) => all + of(one), 0))
}

function sum(group: Group, of: (one: RecipeVerdict) => number): string {
  return String(recipeVerdicts(group).reduce((all, one) => all + of(one), 0))
}

function worst(group: Group): ExperimentResult {
  return group.reduce((a, b) => (darkOf(b) > darkOf(a) ? b : a))
}

/** One experiment in one line. */
export function summaryLine(result: ExperimentResult): string {
  const { experiment, victim, floorMs, clients, recipes } = result
  const broken = violationsOf(result)
  const floor = floorMs === undefined ? '' : `; floor ${ms(floorMs)}`
  const others = recipes === undefined ? '' : `; ${recipeSummary(recipes)}`
  const verdict = broken === '' ? '' : ` VIOLATED: ${broken}`
  const where = experiment.fault === 'client-freeze' ? '' : ` (${victim})`
  return `${faultName(experiment)}${where}: ${clients.map(clientWords).join('; ')}${floor}${others}${verdict}`
}

/** What was done to what. */
export function faultName({ fault, role }: Experiment): string {
  if (fault === 'client-freeze') return 'freeze of the holder of a lock'
  return `${fault} of the ${role === 'leader' ? 'leader' : 'attached server'}`
}

function clientWords({ name, darkMs, movedAfterMs, isSessionKept, verdict }: ClientResult): string {
  const moved = movedAfterMs === undefined ? '' : `, moved after ${ms(movedAfterMs)}`
  const kept = isSessionKept ? ', session kept' : ', session lost'
  const shown = Object.entries(verdict.rejections).map(([words, count]) => `${count} x ${words}`)
  const errors = shown.length === 0 ? '' : ` [${shown.join(', ')}]`
  return `${name} dark for ${ms(darkMs)}${moved}${kept}${errors}`
}

function recipeSummary({ leases, registered, fewestInstances, differences }: RecipeVerdict): string {
  const { acquired, overlaps, thaws } = leases
  const thawed =
    thaws.length === 0 ? '' : `, valid after the freeze ${thaws.map(({ wasValid }) => wasValid).join()}`
  const registry = `registered ${registered} of ${instanceCount} (fewest seen ${fewestInstances})`
  return `lock acquired ${acquired} times (overlaps ${overlaps})${thawed}, ${registry}, cache differs in ${differences.length}`
}

/** The guarantees that our client violated in an experiment, as text; empty when all held. */
export function violationsOf(result: ExperimentResult): string {
  const clients = result.clients
    .filter(({ name }) => name === ours.name)
    .flatMap((one) => clientViolations(one, result))
  const recipes = result.recipes === undefined ? [] : recipeViolations(result.recipes, result)
  return describeViolations([...clients, ...recipes])
}

/** True when every guarantee of our client held. */
export function holdsGuarantees(result: ExperimentResult): boolean {
  return violationsOf(result) === ''
}

function clientViolations(
  { verdict, unhandled, darkMs, isSessionKept, hung }: ClientResult,
  result: ExperimentResult,
): readonly Violation[] {
  const isLate = (darkMs ?? 0) > boundMs(result)
  return [
    [verdict.lost, 'acknowledged and lost'],
    [verdict.twice, 'made twice'],
    [verdict.unsettled, 'never settled'],
    [hung, 'past their deadline'],
    [mayLoseSession(result) ? 0 : verdict.failedReads, 'failed reads'],
    [verdict.wronglyNotDone, 'reported as not done although they were'],
    [verdict.unequalServers, 'servers that differ'],
    [unhandled.length, `unhandled (${unhandled[0]})`],
    [darkMs === undefined ? 1 : 0, 'never recovered'],
    [result.floorMs !== undefined && isLate ? 1 : 0, 'too late'],
    [isSessionKept || mayLoseSession(result) ? 0 : 1, 'session lost'],
  ]
}

function recipeViolations(
  { leases, differences, registered, emptyPicks, sessionsLost, unhandled }: RecipeVerdict,
  { experiment, ...result }: ExperimentResult,
): readonly Violation[] {
  const isFreeze = experiment.fault === 'client-freeze'
  const thaws = leases.thaws.filter(({ wasValid }) => wasValid).length
  return [
    [leases.overlaps, 'leases valid at one instant'],
    [leases.rejectedValid, 'writes of a valid lease rejected'],
    [leases.acceptedStale, 'stale tokens accepted'],
    // A frozen process is not notified: there only the clock ends a lease.
    [isFreeze ? 0 : leases.signalledLate, 'leases that were notified too late'],
    [thaws, 'leases valid after a freeze'],
    [isFreeze && leases.thaws.length === 0 ? 1 : 0, 'freeze that did not end'],
    [differences.length, `differences from a fresh read (${differences[0]})`],
    [instanceCount - registered, 'instances not registered'],
    [emptyPicks, 'picks without an instance'],
    [
      isFreeze || mayLoseSession({ experiment, ...result }) ? 0 : sessionsLost,
      'sessions of the recipe clients lost',
    ],
    [unhandled.length, `unhandled (${unhandled[0]})`],
  ]
}

// When no server serves for so long, a session may expire.
function mayLoseSession({ experiment, floorMs }: Pick<ExperimentResult, 'experiment' | 'floorMs'>): boolean {
  return (floorMs ?? 0) > experiment.sessionTimeoutMs / 2
}

/**
 * Within what time writes have to go on: as soon as the ensemble can, with half as much on top and 200 ms. Who is
 * attached to a server that says nothing has to find that out first, and gets the time of a session for it.
 */
export function boundMs({ experiment, floorMs }: Pick<ExperimentResult, 'experiment' | 'floorMs'>): number {
  const soon = 1.5 * (floorMs ?? 0) + 200
  return isSilent(experiment) ? Math.max(soon, experiment.sessionTimeoutMs) : soon
}

// A server that is frozen or cut off closes no connection, and one that is stopped by SIGTERM does not respond for 0.35 s
// before it hangs up (3.8.0, measured).
function isSilent({ fault }: Experiment): boolean {
  return fault !== 'kill'
}

/** What happened around the fault, as SVG: writes and reads of each client, the fault marked. */
export function timelineOf({ experiment, victim, window, floorMs, clients }: ExperimentResult): string {
  const { faultAtMs, healedAtMs } = window
  return drawTimeline({
    title: `${faultName(experiment)} (${victim}); floor ${ms(floorMs)}`,
    fromMs: faultAtMs - 2_000,
    toMs: healedAtMs + 2_000,
    tracks: clients.flatMap(({ name, ops }) => [
      { name: `${name} writes`, colour: '#26a', instants: writeInstants(ops) },
      { name: `${name} reads`, colour: '#2a6', instants: readInstants(ops) },
    ]),
    marks: [{ label: experiment.fault, fromMs: faultAtMs, toMs: healedAtMs }],
  })
}
