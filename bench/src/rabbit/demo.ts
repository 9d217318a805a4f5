import { chosen, readOptions } from '../harness/args.ts'
import { keptSentence } from '../harness/broken.ts'
import { missingServers } from '../harness/lab.ts'
import { LiveTable } from '../harness/live-table.ts'
import { saveResults } from '../harness/results.ts'
import { ms } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { connectionManager } from './connection-manager.ts'
import { liveRow } from './contestant-run.ts'
import { withoutLedgers } from './drill.ts'
import { type Experiment, type ExperimentResult, runExperiment } from './experiment.ts'
import { pictureOf } from './experiment-picture.ts'
import type { FaultKind } from './faults.ts'
import { withLab } from './lab.ts'
import { ours } from './ours.ts'
import { brokenPromises, kept } from './promises.ts'
import { fakeStage, type Stage } from './stage.ts'

const acts: readonly { readonly fault: FaultKind; readonly says: string }[] = [
  {
    fault: 'kill',
    says: 'Act 1. The node that leads the queue and holds every connection is killed (SIGKILL).',
  },
  {
    fault: 'pause',
    says: 'Act 2. That node is frozen (SIGSTOP): its kernel still answers, the server does not.',
  },
]

const stages = ['real', 'in-process'] as const

/**
 * `npm run demo`: a real cluster loses its most important node twice, and what that costs whom. `--stage in-process`
 * plays it without servers.
 */
export async function rabbitDemo(argv: readonly string[]): Promise<boolean> {
  const [stageName] = chosen(readOptions(argv, ['stage'])['stage'], stages, stages)
  console.log(
    'A cluster of three brokers, 500 confirmed messages a second, and the most important node fails. Twice.\n',
  )
  if (stageName === 'real') {
    const command = await missingServers('rabbitmq')
    if (command === undefined) return withLab('demo', (lab) => play(lab))
    console.log(`No RabbitMQ server can be had here (${command}): the same story on the in-process broker.\n`)
  }
  const stage = await fakeStage()
  try {
    return await play(stage)
  } finally {
    await stage.close()
  }
}

async function play(stage: Stage): Promise<boolean> {
  const results: ExperimentResult[] = []
  for (const [i, { fault, says }] of acts.entries()) {
    console.log(`\n${says}`)
    const live = new LiveTable(process.stdout)
    try {
      results.push(
        await runExperiment(stage, actOf(stage, fault, i), (phase, runs) =>
          live.show(phase, runs.map(liveRow)),
        ),
      )
    } finally {
      live.end()
    }
    console.log(results.slice(-1).map(lineOf).join())
  }
  report(stage, results)
  return results.every(({ fared }) => fared.filter(({ name }) => name === ours.name).every(kept))
}

function actOf(stage: Stage, fault: FaultKind, number: number): Experiment {
  return {
    queueKind: 'quorum',
    fault,
    role: 'leader and connections',
    victim: stage.nodes[number]?.name ?? '',
    contestants: [ours.name, connectionManager.name],
    ratePerSecond: 500,
    retryMs: 1_000,
    silentMs: 20_000,
  }
}

function lineOf({ fared, floorMs }: ExperimentResult): string {
  const each = fared.map(({ name, darkMs, verdict }) => {
    const rejected = verdict.notDone + verdict.unknown
    return `${name} was dark for ${ms(darkMs)}, lost ${verdict.lost}, rejected ${rejected}`
  })
  return `${each.join('; ')}. The cluster itself needed ${ms(floorMs)}.`
}

function report(stage: Stage, results: readonly ExperimentResult[]): void {
  const head = [
    'fault',
    'client',
    'dark',
    'x floor',
    'confirmed',
    'lost',
    'rejected',
    'stored twice, announced',
    'not announced',
  ]
  const rows = results.flatMap(({ experiment, floorMs, fared }) =>
    fared.map(({ name, darkMs, verdict }) => [
      experiment.fault,
      name,
      ms(darkMs),
      darkMs === undefined || floorMs === undefined ? '' : (darkMs / floorMs).toFixed(1),
      String(verdict.confirmed),
      String(verdict.lost),
      String(verdict.notDone + verdict.unknown),
      String(verdict.announcedDuplicates),
      String(verdict.unannouncedDuplicates),
    ]),
  )
  const title = `RabbitMQ ${stage.version}: the leader's node fails under 500 messages a second`
  const table = markdownTable(head, rows)
  const pictures = results.map((result) => [result.experiment.fault, pictureOf(result)] as const)
  const where = saveResults('demo-rabbit', { title, table, pictures, data: results.map(withoutLedgers) })
  const broken = results.flatMap(({ fared }) =>
    fared.filter(({ name }) => name === ours.name).map(brokenPromises),
  )
  console.log(`\n${table}\n`)
  console.log(
    'dark: the longest silence between confirms. floor: what a probe with fresh connections saw in the same fault.',
  )
  console.log(keptSentence(ours.name, broken))
  console.log(`Written: ${where.join(', ')}`)
  console.log('The same for a database: npm run demo -- mariadb')
}
