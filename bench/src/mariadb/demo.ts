import type { Lab } from '@ha/bootstrap'
import { readOptions } from '../harness/args.ts'
import { keptSentence } from '../harness/broken.ts'
import { LiveTable } from '../harness/live-table.ts'
import { saveResults } from '../harness/results.ts'
import { ms } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { liveRow } from './client-run.ts'
import { endpointsOf, jdbcUrl, withCluster } from './cluster.ts'
import { type LostCommit, loseCommit } from './demo-commit.ts'
import { withoutOps } from './drill-report.ts'
import { type Experiment, type ExperimentResult, runExperiment } from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import type { Fared } from './fared.ts'
import type { FaultKind } from './faults.ts'
import { mariadbCluster } from './mariadb-cluster.ts'
import { ours } from './ours.ts'
import { brokenPromises, kept } from './promises.ts'

const acts: readonly { readonly fault: FaultKind; readonly says: string }[] = [
  { fault: 'kill', says: 'Act 1. The server that everybody writes to is killed (SIGKILL).' },
  {
    fault: 'pause',
    says: 'Act 2. That server is frozen (SIGSTOP): its kernel still answers, the server does not.',
  },
]

/** `npm run demo -- mariadb`: a real cluster loses its writer twice, a COMMIT loses its answer, and all is counted. */
export async function mariadbDemo(argv: readonly string[]): Promise<boolean> {
  readOptions(argv, [])
  console.log(
    'A Galera cluster of three, 150 writes a second, and the server that takes them fails. Twice.\n',
  )
  return withCluster('demo', { mode: 'sequential', detectMs: 1_000 }, play)
}

async function play(lab: Lab): Promise<boolean> {
  console.log('The service was given the URL of its Java neighbour, and nothing else:')
  console.log(`  ${jdbcUrl('sequential', [...endpointsOf(lab).values()])}`)
  const results: ExperimentResult[] = []
  for (const [i, { fault, says }] of acts.entries()) {
    console.log(`\n${says}`)
    results.push(await perform(lab, actOf(lab, fault, i)))
    console.log(results.slice(-1).map(lineOf).join())
  }
  console.log('\nAct 3. A transaction sends its COMMIT, and the line dies before the answer.')
  const lost = await loseCommit(lab)
  console.log(sentenceOf(lost))
  report(lab, results)
  return (
    results.every(({ fared }) => fared.filter(({ name }) => name === ours.name).every(kept)) && lost.isExact
  )
}

function actOf(lab: Lab, fault: FaultKind, number: number): Experiment {
  return {
    mode: 'sequential',
    fault,
    role: 'writer',
    victim: lab.nodes[number]?.name ?? '',
    contestants: [ours.name, mariadbCluster.name],
    rates: { insert: 150, transfer: 10, read: 50, 'own-read': 10 },
    connections: 10,
    holdMs: 6_000,
    settleMs: 5_000,
  }
}

async function perform(lab: Lab, experiment: Experiment): Promise<ExperimentResult> {
  const live = new LiveTable(process.stdout)
  try {
    return await runExperiment(lab, experiment, (phase, runs) => live.show(phase, runs.map(liveRow)))
  } finally {
    live.end()
  }
}

function lineOf({ fared, floorMs }: ExperimentResult): string {
  const each = fared.map(({ name, darkMs, verdict }) => {
    const { lost, unknown, notDone, unsettled } = verdict
    const silence = darkMs === undefined ? 'did not come back' : `wrote again after ${ms(darkMs)}`
    return `${name} ${silence}, lost ${lost}, showed ${unknown + notDone} errors, never settled ${unsettled}`
  })
  return `${each.join('; ')}. The cluster itself needed ${ms(floorMs)}.`
}

function sentenceOf({ endpoint, token, fate, callbacks, tookMs, isExact }: LostCommit): string {
  const again =
    callbacks === 1 ? 'so nothing was run again' : `and it was run again: ${callbacks} times in all`
  return [
    `  COMMIT went to ${endpoint}, no answer came. The ledger was asked on another server: token ${token}`,
    `  was ${fate}, ${again}. The caller saw no error; ${ms(tookMs)} all together.`,
    `  The row is there ${isExact ? 'once' : 'NOT ONCE'} on every node.`,
  ].join('\n')
}

function report(lab: Lab, results: readonly ExperimentResult[]): void {
  const head = [
    'fault',
    'client',
    'writes again after',
    'the cluster needed',
    ...counted.map(([name]) => name),
  ]
  const rows = results.flatMap(({ experiment, floorMs, fared }) =>
    fared.map((one) => [
      experiment.fault,
      one.name,
      ms(one.darkMs),
      ms(floorMs),
      ...counted.map(([, of]) => String(of(one.verdict))),
    ]),
  )
  const title = `MariaDB ${lab.version}, Galera of three: the writer fails under 150 writes a second`
  const table = markdownTable(head, rows)
  const pictures = results.map((result) => [result.experiment.fault, pictureOf(result)] as const)
  const where = saveResults('demo-mariadb', { title, table, pictures, data: results.map(withoutOps) })
  const broken = results.flatMap(({ fared }) =>
    fared.filter(({ name }) => name === ours.name).map(brokenPromises),
  )
  console.log(`\n${table}\n`)
  console.log(
    'Counted in the tables of every node, not in logs. Transfers, and reads of what was just written, are ours alone.',
  )
  console.log(keptSentence(ours.name, broken))
  console.log(`Written: ${where.join(', ')}`)
}

const counted: readonly (readonly [string, (verdict: Fared['verdict']) => number])[] = [
  ['writes done', ({ done }) => done],
  ['lost', ({ lost }) => lost],
  ['twice', ({ twice }) => twice],
  ['errors shown', ({ notDone, unknown }) => notDone + unknown],
  ['never settled', ({ unsettled }) => unsettled],
  ['reads failed', ({ failedReads }) => failedReads],
]
