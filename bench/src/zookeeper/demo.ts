import type { Lab } from '@ha/bootstrap'
import { readOptions } from '../harness/args.ts'
import { LiveTable } from '../harness/live-table.ts'
import { guaranteeSummary, markdownTable, saveResults } from '../harness/report.ts'
import { ms } from '../harness/stats.ts'
import type { ClientResult } from './client-result.ts'
import { bareDriver, ours } from './clients.ts'
import { withEnsemble } from './ensemble.ts'
import { type Experiment, type ExperimentResult, runExperiment } from './experiment.ts'
import { faultName, holdsGuarantees, timelineOf, violationsOf, withoutLogs } from './experiment-report.ts'
import { liveRow } from './traffic.ts'

const shared = {
  holdMs: 5_000,
  maxFaultMs: 6_000,
  sessionTimeoutMs: 4_000,
  rates: { create: 50, sequence: 10, set: 10, read: 50 },
} as const

const scenes: readonly { readonly says: string; readonly experiment: Experiment }[] = [
  {
    says: 'Fault 1: SIGSTOP of the server that both clients are connected to.',
    experiment: {
      ...shared,
      fault: 'pause',
      role: 'attached',
      clientNames: [ours.name, bareDriver.name],
      hasRecipes: false,
    },
  },
  {
    says: 'Fault 2: three processes contend for a lock; its holder is frozen for 1.5 session timeouts.',
    experiment: {
      ...shared,
      fault: 'client-freeze',
      role: 'leader',
      clientNames: [ours.name],
      hasRecipes: true,
    },
  },
]

/** `npm run demo -- zookeeper`: a frozen server, a frozen holder of a lock, and what the tree says afterwards. */
export async function zookeeperDemo(argv: readonly string[]): Promise<boolean> {
  readOptions(argv, [])
  console.log(
    'Two freezes on a ZooKeeper ensemble of three. A frozen process keeps its sockets open and does not respond.\n',
  )
  return withEnsemble('demo', runScenes)
}

async function runScenes(lab: Lab): Promise<boolean> {
  const results: ExperimentResult[] = []
  for (const { says, experiment } of scenes) {
    console.log(`\n${says}`)
    const result = await runScene(lab, experiment)
    results.push(result)
    console.log(describe(result))
  }
  report(lab, results)
  return results.every(holdsGuarantees)
}

async function runScene(lab: Lab, experiment: Experiment): Promise<ExperimentResult> {
  const live = new LiveTable(process.stdout)
  try {
    return await runExperiment(lab, experiment, (phase, runs) => live.show(phase, runs.map(liveRow)))
  } finally {
    live.end()
  }
}

function describe({ clients, recipes, floorMs }: ExperimentResult): string {
  if (recipes !== undefined) {
    const { acquired, thaws, overlaps, rejectedStale, rejectedValid } = recipes.leases
    const [thaw] = thaws
    return [
      `  The holder resumed after ${ms(thaw?.frozenMs)}; its lease was ${thaw?.wasValid === true ? 'STILL VALID' : 'no longer valid'} at its first statement.`,
      `  The lock was acquired ${acquired} times in all, with ${overlaps} overlapping leases. The fenced store rejected`,
      `  ${rejectedStale} writes with a stale fencing token, and ${rejectedValid} writes of a valid holder.`,
    ].join('\n')
  }
  const each = clients.map(({ name, darkMs, isSessionKept, verdict }) => {
    const silence = darkMs === undefined ? 'did not recover' : `was dark for ${ms(darkMs)}`
    return `  ${name} ${silence}, ${isSessionKept ? 'kept its session' : 'LOST its session'}, returned ${verdict.unknown + verdict.notDone} errors.`
  })
  return [...each, `  The baseline probe was dark for ${ms(floorMs)}.`].join('\n')
}

function report(lab: Lab, results: readonly ExperimentResult[]): void {
  const head = ['fault', 'client', 'dark', 'session', ...counted.map(([name]) => name)]
  const rows = results.flatMap(({ experiment, clients }) =>
    clients.map((one) => [
      faultName(experiment),
      one.name,
      ms(one.darkMs),
      one.isSessionKept ? 'kept' : 'LOST',
      ...counted.map(([, of]) => String(of(one.verdict))),
    ]),
  )
  const title = `ZooKeeper ${lab.version}, three servers: a frozen server and a frozen lock holder`
  const table = markdownTable(head, rows)
  const pictures = results.map((result) => [faultName(result.experiment), timelineOf(result)] as const)
  const where = saveResults('demo-zookeeper', { title, table, pictures, data: results.map(withoutLogs) })
  console.log(
    `\n${table}\n\ndark: the longest time without a write. All nodes are counted in the tree of every server.`,
  )
  console.log(guaranteeSummary(ours.name, results.map(violationsOf)))
  console.log(`Written: ${where.join(', ')}`)
}

const counted: readonly (readonly [string, (verdict: ClientResult['verdict']) => number])[] = [
  ['writes done', ({ done }) => done],
  ['lost', ({ lost }) => lost],
  ['made twice', ({ twice }) => twice],
  ['errors returned', ({ notDone, unknown }) => notDone + unknown],
  ['never settled', ({ unsettled }) => unsettled],
  ['reads failed', ({ failedReads }) => failedReads],
]
