import { positive, readOptions } from '../harness/args.ts'
import { saveResults } from '../harness/results.ts'
import { ms, spread } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import type { ContestantMaker } from './contestant.ts'
import { entrants } from './contestants.ts'
import { grouped, withoutOps } from './drill-report.ts'
import { detectMs, withEnsemble } from './ensemble.ts'
import { type Experiment, type ExperimentResult, runExperiments } from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import type { Fared } from './fared.ts'
import { roles } from './faults.ts'
import { kept } from './promises.ts'
import { lineOf } from './result-line.ts'

const faults = ['kill', 'pause'] as const

/** `npm run bench -- zookeeper-failover`: everybody under the same fault at the same time, with the same ruler. */
export async function failoverBench(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['rounds', 'rate'])
  const rounds = positive(options['rounds'], 3, 'rounds')
  const rate = positive(options['rate'], 50, 'rate')
  const makers = await entrants()
  const shared = {
    contestants: makers.map(({ name }) => name),
    rates: { create: rate, sequence: 0, set: 0, read: rate },
    sessionTimeoutMs: 4_000,
    hasCast: false,
    holdMs: 12_000,
    mostMs: 20_000,
  }
  const round = roles.flatMap((role) => faults.map((fault): Experiment => ({ ...shared, fault, role })))
  return withEnsemble('bench', async (lab) => {
    const results: ExperimentResult[] = []
    try {
      const all = Array.from({ length: rounds }, () => round).flat()
      await runExperiments(lab, all, { results, onResult: lineOf })
    } finally {
      report(results, makers, lab.version)
    }
    return results.every(kept)
  })
}

function report(results: Group, makers: readonly ContestantMaker[], version: string): void {
  const [first] = results
  if (first === undefined) return
  const groups = grouped(results)
  const rows = groups.flatMap(([fault, group]) =>
    makers.map(({ name }) => [fault, name, ...columns.map(([, cell]) => cell(group, name))]),
  )
  const settings = makers.map((maker) => `- ${maker.name}: ${maker.settings}`).join('\n')
  const { sessionTimeoutMs } = first.experiment
  const title = `Failover on ZooKeeper ${version}, three servers, --detect ${detectMs}ms, sessions of ${ms(sessionTimeoutMs)}; all clients under the same fault at the same time`
  const table = `${markdownTable(['fault', 'client', ...columns.map(([name]) => name)], rows)}\n\n${settings}`
  const pictures = groups.map(([name, [one]]) => [name, one === undefined ? '' : pictureOf(one)] as const)
  const data = results.map(withoutOps)
  const where = saveResults('bench-zookeeper-failover', { title, table, pictures, data })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

type Group = readonly ExperimentResult[]
type Column = readonly [name: string, cell: (group: Group, client: string) => string]

const never = Number.POSITIVE_INFINITY

const columns: readonly Column[] = [
  ['n', (group) => String(group.length)],
  ['first write after, median', (group, client) => ms(spread(of(group, client).map(darkOf))?.median)],
  ['worst', (group, client) => ms(spread(of(group, client).map(darkOf))?.max)],
  ['floor, median', (group) => ms(spread(group.map(({ floorMs }) => floorMs ?? never))?.median)],
  ['errors shown', (group, client) => total(group, client, ({ verdict }) => errorsOf(verdict))],
  ['past their deadline', (group, client) => total(group, client, ({ hung }) => hung)],
  ['never settled', (group, client) => total(group, client, ({ verdict }) => verdict.unsettled)],
  ['acknowledged and lost', (group, client) => total(group, client, ({ verdict }) => verdict.lost)],
  [
    'sessions kept',
    (group, client) =>
      `${of(group, client).filter(({ isSessionKept }) => isSessionKept).length} of ${group.length}`,
  ],
  ['unhandled', (group, client) => total(group, client, ({ unhandled }) => unhandled.length)],
]

function errorsOf({ notDone, unknown, failedReads }: Fared['verdict']): number {
  return notDone + unknown + failedReads
}

function of(group: Group, client: string): readonly Fared[] {
  return group.flatMap(({ fared }) => fared.filter(({ name }) => name === client))
}

function darkOf({ darkMs }: Fared): number {
  return darkMs ?? never
}

function total(group: Group, client: string, count: (one: Fared) => number): string {
  return String(of(group, client).reduce((sum, one) => sum + count(one), 0))
}
