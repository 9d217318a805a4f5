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
    says: 'Act 1. The server that both clients are attached to is frozen (SIGSTOP): its kernel answers, it does not.',
    experiment: {
      ...shared,
      fault: 'pause',
      role: 'attached',
      clientNames: [ours.name, bareDriver.name],
      hasRecipes: false,
    },
  },
  {
    says: 'Act 2. Three processes take turns with a lock. The one that holds it is frozen for one and a half sessions.',
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
    'A ZooKeeper ensemble of three. What is frozen looks alive to everybody who only looks at sockets.\n',
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
      `  It woke after ${ms(thaw?.frozenMs)}, and its first statement found the lease ${thaw?.wasValid === true ? 'VALID' : 'not valid'}.`,
      `  Meanwhile others had it: ${acquired} times in all, never two at once (${overlaps}). The store turned away`,
      `  ${rejectedStale} writes with a token that was too old, and ${rejectedValid} of those who held the lock.`,
    ].join('\n')
  }
  const each = clients.map(({ name, darkMs, isSessionKept, verdict }) => {
    const silence = darkMs === undefined ? 'did not come back' : `wrote again after ${ms(darkMs)}`
    return `  ${name} ${silence}, ${isSessionKept ? 'with the same session' : 'and had lost its session'}, showed ${verdict.unknown + verdict.notDone} errors.`
  })
  return [...each, `  The others needed ${ms(floorMs)}.`].join('\n')
}

function report(lab: Lab, results: readonly ExperimentResult[]): void {
  const head = ['fault', 'client', 'writes again after', 'session', ...counted.map(([name]) => name)]
  const rows = results.flatMap(({ experiment, clients }) =>
    clients.map((one) => [
      faultName(experiment),
      one.name,
      ms(one.darkMs),
      one.isSessionKept ? 'kept' : 'LOST',
      ...counted.map(([, of]) => String(of(one.verdict))),
    ]),
  )
  const title = `ZooKeeper ${lab.version}, three servers: what is frozen looks alive`
  const table = markdownTable(head, rows)
  const pictures = results.map((result) => [faultName(result.experiment), timelineOf(result)] as const)
  const where = saveResults('demo-zookeeper', { title, table, pictures, data: results.map(withoutLogs) })
  console.log(`\n${table}\n\nCounted in the tree of every server, not in logs.`)
  console.log(guaranteeSummary(ours.name, results.map(violationsOf)))
  console.log(`Written: ${where.join(', ')}`)
}

const counted: readonly (readonly [string, (verdict: ClientResult['verdict']) => number])[] = [
  ['writes done', ({ done }) => done],
  ['lost', ({ lost }) => lost],
  ['made twice', ({ twice }) => twice],
  ['errors shown', ({ notDone, unknown }) => notDone + unknown],
  ['never settled', ({ unsettled }) => unsettled],
  ['reads failed', ({ failedReads }) => failedReads],
]
