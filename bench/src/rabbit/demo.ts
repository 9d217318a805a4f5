import { chosen, readOptions } from '../harness/args.ts'
import { missingServers } from '../harness/lab.ts'
import { LiveTable } from '../harness/live-table.ts'
import { guaranteeSummary, markdownTable, saveResults } from '../harness/report.ts'
import { ms } from '../harness/stats.ts'
import { connectionManager, ours } from './clients.ts'
import { type FaultKind, inProcessCluster, type TestCluster, withRabbitCluster } from './cluster.ts'
import { type Experiment, type ExperimentResult, runExperiment } from './experiment.ts'
import { holdsGuarantees, timelineOf, violationsOf, withoutLogs } from './experiment-report.ts'
import { liveRow } from './traffic.ts'

const scenes: readonly { readonly fault: FaultKind; readonly says: string }[] = [
  {
    fault: 'kill',
    says: 'Fault 1: SIGKILL of the node that leads the queue and holds all client connections.',
  },
  {
    fault: 'pause',
    says: 'Fault 2: SIGSTOP of such a node. Its kernel still accepts connections, the server does not respond.',
  },
]

const clusterKinds = ['real', 'in-process'] as const

/**
 * `npm run demo`: a real cluster loses its most important node twice, and what that costs whom. `--stage in-process`
 * plays it without servers.
 */
export async function rabbitDemo(argv: readonly string[]): Promise<boolean> {
  const [clusterKind] = chosen(readOptions(argv, ['stage'])['stage'], clusterKinds, clusterKinds)
  console.log(
    'Two faults on a RabbitMQ cluster of three nodes, at 500 confirmed messages per second for each client.\n',
  )
  if (clusterKind === 'real') {
    const command = await missingServers('rabbitmq')
    if (command === undefined) return withRabbitCluster('demo', (lab) => runScenes(lab))
    console.log(
      `No RabbitMQ server is available (${command}); the demo uses the in-process broker instead.\n`,
    )
  }
  const cluster = await inProcessCluster()
  try {
    return await runScenes(cluster)
  } finally {
    await cluster.close()
  }
}

async function runScenes(cluster: TestCluster): Promise<boolean> {
  const results: ExperimentResult[] = []
  for (const [i, { fault, says }] of scenes.entries()) {
    console.log(`\n${says}`)
    const live = new LiveTable(process.stdout)
    try {
      results.push(
        await runExperiment(cluster, experimentFor(cluster, fault, i), (phase, runs) =>
          live.show(phase, runs.map(liveRow)),
        ),
      )
    } finally {
      live.end()
    }
    console.log(results.slice(-1).map(summaryLine).join())
  }
  report(cluster, results)
  return results.every(({ clients }) =>
    clients.filter(({ name }) => name === ours.name).every(holdsGuarantees),
  )
}

function experimentFor(cluster: TestCluster, fault: FaultKind, number: number): Experiment {
  return {
    queueKind: 'quorum',
    fault,
    role: 'leader and connections',
    victim: cluster.nodes[number]?.name ?? '',
    clientNames: [ours.name, connectionManager.name],
    ratePerSecond: 500,
    retryMs: 1_000,
    silentMs: 20_000,
  }
}

function summaryLine({ clients, floorMs }: ExperimentResult): string {
  const each = clients.map(({ name, darkMs, verdict }) => {
    const rejected = verdict.notDone + verdict.unknown
    return `${name} was dark for ${ms(darkMs)}, lost ${verdict.lost}, rejected ${rejected}`
  })
  return `${each.join('; ')}. The baseline probe was dark for ${ms(floorMs)}.`
}

function report(cluster: TestCluster, results: readonly ExperimentResult[]): void {
  const head = [
    'fault',
    'client',
    'dark',
    'x floor',
    'confirmed',
    'lost',
    'rejected',
    'duplicates, announced',
    'duplicates, not announced',
  ]
  const rows = results.flatMap(({ experiment, floorMs, clients }) =>
    clients.map(({ name, darkMs, verdict }) => [
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
  const title = `RabbitMQ ${cluster.version}: the leader's node fails under 500 messages a second`
  const table = markdownTable(head, rows)
  const pictures = results.map((result) => [result.experiment.fault, timelineOf(result)] as const)
  const where = saveResults('demo-rabbit', { title, table, pictures, data: results.map(withoutLogs) })
  const broken = results.flatMap(({ clients }) =>
    clients.filter(({ name }) => name === ours.name).map(violationsOf),
  )
  console.log(`\n${table}\n`)
  console.log(
    'dark: the longest time between two confirms. floor: the same for a baseline probe that opens new connections.',
  )
  console.log(guaranteeSummary(ours.name, broken))
  console.log(`Written: ${where.join(', ')}`)
  console.log('The same for a database: npm run demo -- mariadb')
}
