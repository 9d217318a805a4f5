import type { Lab } from '@ha/bootstrap'
import { chosen, positive, readOptions } from '../harness/args.ts'
import { saveResults } from '../harness/results.ts'
import { ms, spread } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { withCluster } from './cluster.ts'
import { contestants } from './contestants.ts'
import { detectMsOf } from './detect.ts'
import { grouped, withoutOps } from './drill-report.ts'
import { type Experiment, type ExperimentResult, runExperiments } from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import type { Fared } from './fared.ts'
import type { FaultKind } from './faults.ts'
import { ours } from './ours.ts'
import { kept } from './promises.ts'
import { lineOf } from './result-line.ts'

const faults: readonly FaultKind[] = ['kill', 'pause']

/** `npm run bench -- mariadb-failover`: everybody under the same fault at the same time, with the same ruler. */
export async function failoverBench(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['rounds', 'fault', 'detect', 'rate'])
  const rounds = positive(options['rounds'], 3, 'rounds')
  const chosenFaults = chosen(options['fault'], faults, faults)
  const rate = positive(options['rate'], 200, 'rate')
  const detectMs = detectMsOf(options['detect'], 1_000)
  return withCluster('bench', { mode: 'sequential', detectMs }, async (lab) => {
    const experiments = Array.from({ length: rounds }, (_, round) =>
      chosenFaults.map((fault) => ({ fault, ...shared(lab, round, rate) })),
    ).flat()
    const results: ExperimentResult[] = []
    try {
      await runExperiments(lab, experiments, { results, onResult: lineOf })
    } finally {
      report(results, lab, detectMs)
    }
    return results.every(({ fared }) => fared.filter(({ name }) => name === ours.name).every(kept))
  })
}

function shared(lab: Lab, round: number, rate: number): Omit<Experiment, 'fault'> {
  const nodes = lab.nodes.map(({ name }) => name)
  return {
    mode: 'sequential',
    role: 'writer',
    victim: nodes[round % nodes.length] ?? '',
    contestants: contestants.map(({ name }) => name),
    rates: { insert: rate, transfer: 0, read: 0, 'own-read': 0 },
    connections: 10,
    holdMs: 20_000,
    settleMs: 15_000,
  }
}

function report(results: readonly ExperimentResult[], lab: Lab, detectMs: number | undefined): void {
  if (results.length === 0) return
  const rows = grouped(results).flatMap(([name, group]) =>
    contestants.map((contestant) => [
      name,
      contestant.name,
      ...columns.map(([, cell]) => cell(group, contestant.name)),
    ]),
  )
  const settings = contestants.map((contestant) => `- ${contestant.name}: ${contestant.settings}`).join('\n')
  const timers = detectMs === undefined ? 'default timers' : `--detect ${detectMs}ms`
  const title = `Failover on MariaDB ${lab.version}, Galera of three, ${timers}; all clients under the same fault at the same time`
  const table = `${markdownTable(['fault', 'client', ...columns.map(([name]) => name)], rows)}\n\n${settings}`
  const pictures = grouped(results).map(
    ([name, [first]]) => [name, first === undefined ? '' : pictureOf(first)] as const,
  )
  const data = results.map(withoutOps)
  const where = saveResults('bench-mariadb-failover', { title, table, pictures, data })
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
  ['errors shown', (group, client) => total(group, client, ({ notDone, unknown }) => notDone + unknown)],
  ['acknowledged and lost', (group, client) => total(group, client, ({ lost }) => lost)],
  ['applied twice', (group, client) => total(group, client, ({ twice }) => twice)],
  ['took over 10 s', (group, client) => String(of(group, client).reduce((sum, { hung }) => sum + hung, 0))],
  ['never settled', (group, client) => total(group, client, ({ unsettled }) => unsettled)],
  ['unhandled', (group, client) => String(of(group, client).flatMap(({ unhandled }) => unhandled).length)],
]

function of(group: Group, client: string): readonly Fared[] {
  return group.flatMap(({ fared }) => fared.filter(({ name }) => name === client))
}

function darkOf({ darkMs }: Fared): number {
  return darkMs ?? never
}

function total(group: Group, client: string, count: (one: Fared['verdict']) => number): string {
  return String(of(group, client).reduce((sum, { verdict }) => sum + count(verdict), 0))
}
