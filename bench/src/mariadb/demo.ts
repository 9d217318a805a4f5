import type { Lab } from '@ha/bootstrap'
import { createMariadb } from '@ha/mariadb'
import { readOptions } from '../harness/args.ts'
import { LiveTable } from '../harness/live-table.ts'
import { guaranteeSummary, markdownTable, saveResults } from '../harness/report.ts'
import { ms } from '../harness/stats.ts'
import type { ClientResult } from './client-result.ts'
import { mariadbCluster, ours } from './clients.ts'
import { endpointsOf, type FaultKind, jdbcUrl, withCluster, withConnection } from './cluster.ts'
import { injectConnectionFault, type ProxiedCluster, proxyCluster } from './connection-faults.ts'
import { type Experiment, type ExperimentResult, runExperiment } from './experiment.ts'
import { holdsGuarantees, timelineOf, violationsOf, withoutLogs } from './experiment-report.ts'
import { liveRow } from './traffic.ts'

const scenes: readonly { readonly fault: FaultKind; readonly says: string }[] = [
  { fault: 'kill', says: 'Fault 1: SIGKILL of the server that takes the writes.' },
  {
    fault: 'pause',
    says: 'Fault 2: SIGSTOP of such a server. Its kernel still accepts connections, the server does not respond.',
  },
]

/** `npm run demo -- mariadb`: a real cluster loses its writer twice, a COMMIT loses its answer, and all is counted. */
export async function mariadbDemo(argv: readonly string[]): Promise<boolean> {
  readOptions(argv, [])
  console.log('Three faults on a Galera cluster of three nodes, at 150 writes per second for each client.\n')
  return withCluster('demo', { mode: 'sequential', detectMs: 1_000 }, runScenes)
}

async function runScenes(lab: Lab): Promise<boolean> {
  console.log('The client is configured with a JDBC URL:')
  console.log(`  ${jdbcUrl('sequential', [...endpointsOf(lab).values()])}`)
  const results: ExperimentResult[] = []
  for (const [i, { fault, says }] of scenes.entries()) {
    console.log(`\n${says}`)
    results.push(await runScene(lab, experimentFor(lab, fault, i)))
    console.log(results.slice(-1).map(summaryLine).join())
  }
  console.log(
    '\nFault 3: the connection of a transaction dies after COMMIT was sent and before the response.',
  )
  const lost = await loseCommit(lab)
  console.log(describe(lost))
  report(lab, results)
  return (
    results.every(({ clients }) => clients.filter(({ name }) => name === ours.name).every(holdsGuarantees)) &&
    lost.isExact
  )
}

function experimentFor(lab: Lab, fault: FaultKind, number: number): Experiment {
  return {
    mode: 'sequential',
    fault,
    role: 'writer',
    victim: lab.nodes[number]?.name ?? '',
    clientNames: [ours.name, mariadbCluster.name],
    rates: { insert: 150, transfer: 10, read: 50, 'own-read': 10 },
    connections: 10,
    holdMs: 6_000,
    settleMs: 5_000,
  }
}

async function runScene(lab: Lab, experiment: Experiment): Promise<ExperimentResult> {
  const live = new LiveTable(process.stdout)
  try {
    return await runExperiment(lab, experiment, (phase, runs) => live.show(phase, runs.map(liveRow)))
  } finally {
    live.end()
  }
}

function summaryLine({ clients, floorMs }: ExperimentResult): string {
  const each = clients.map(({ name, darkMs, verdict }) => {
    const { lost, unknown, notDone, unsettled } = verdict
    const silence = darkMs === undefined ? 'did not recover' : `was dark for ${ms(darkMs)}`
    return `${name} ${silence}, lost ${lost}, returned ${unknown + notDone} errors, left ${unsettled} calls unsettled`
  })
  return `${each.join('; ')}. The baseline probe was dark for ${ms(floorMs)}.`
}

function describe({ endpoint, token, fate, callbacks, tookMs, isExact }: LostCommit): string {
  const again =
    callbacks === 1
      ? 'so the transaction was not repeated'
      : `and the transaction was repeated: ${callbacks} attempts in all`
  return [
    `  COMMIT was sent to ${endpoint} without a response. The commit log on another server says: token ${token}`,
    `  was ${fate}, ${again}. The caller saw no error; the call took ${ms(tookMs)}.`,
    `  Every node has the row ${isExact ? 'exactly once' : 'NOT EXACTLY ONCE'}.`,
  ].join('\n')
}

function report(lab: Lab, results: readonly ExperimentResult[]): void {
  const head = ['fault', 'client', 'dark', 'floor', ...counted.map(([name]) => name)]
  const rows = results.flatMap(({ experiment, floorMs, clients }) =>
    clients.map((one) => [
      experiment.fault,
      one.name,
      ms(one.darkMs),
      ms(floorMs),
      ...counted.map(([, of]) => String(of(one.verdict))),
    ]),
  )
  const title = `MariaDB ${lab.version}, Galera of three: the writer fails under 150 writes a second`
  const table = markdownTable(head, rows)
  const pictures = results.map((result) => [result.experiment.fault, timelineOf(result)] as const)
  const where = saveResults('demo-mariadb', { title, table, pictures, data: results.map(withoutLogs) })
  const broken = results.flatMap(({ clients }) =>
    clients.filter(({ name }) => name === ours.name).map(violationsOf),
  )
  console.log(`\n${table}\n`)
  console.log(
    'dark: the longest time without a write. floor: the same for a baseline probe that opens new connections. All rows\nare counted in the tables of every node. Only our client runs transfers and read-your-writes checks.',
  )
  console.log(guaranteeSummary(ours.name, broken))
  console.log(`Written: ${where.join(', ')}`)
}

const counted: readonly (readonly [string, (verdict: ClientResult['verdict']) => number])[] = [
  ['writes done', ({ done }) => done],
  ['lost', ({ lost }) => lost],
  ['twice', ({ twice }) => twice],
  ['errors returned', ({ notDone, unknown }) => notDone + unknown],
  ['never settled', ({ unsettled }) => unsettled],
  ['reads failed', ({ failedReads }) => failedReads],
]

/** What became of a transaction whose COMMIT had no answer. */
interface LostCommit {
  readonly endpoint: string
  readonly token: string
  readonly fate: string
  /** How often the callback ran. */
  readonly callbacks: number
  readonly tookMs: number
  /** Whether every node has its row exactly once. */
  readonly isExact: boolean
}

/** Runs one transaction through a line that dies when COMMIT has been sent. */
async function loseCommit(lab: Lab): Promise<LostCommit> {
  const endpoints = [...endpointsOf(lab).values()]
  await withConnection(endpoints[0] ?? '', (connection) =>
    connection.query('CREATE TABLE paid (n BIGINT AUTO_INCREMENT PRIMARY KEY, invoice INT NOT NULL)'),
  )
  await using proxied = await proxyCluster(lab)
  return { ...(await pay(proxied)), isExact: await isPaidOnce(endpoints) }
}

async function pay(proxied: ProxiedCluster): Promise<Omit<LostCommit, 'isExact'>> {
  await using mariadb = createMariadb(jdbcUrl('sequential', [...proxied.proxies.keys()]), {
    commitLog: { create: true },
  })
  await mariadb.ready()
  let first = { endpoint: '', token: '' }
  let fate = 'committed'
  mariadb.events.on('outcomeResolved', (resolved) => {
    fate = resolved.fate
  })
  let heal: (() => Promise<void>) | undefined
  const sentAt = performance.now()
  const callbacks = await mariadb.transaction(async (transaction) => {
    const { attempt, endpoint, token } = transaction
    await transaction.query('INSERT INTO paid (invoice) VALUES (7)')
    if (attempt === 1) {
      first = { endpoint, token: token ?? '' }
      heal = await injectConnectionFault(proxied, { point: 'COMMIT arrived', how: 'dead line', endpoint })
    }
    return attempt
  })
  const tookMs = performance.now() - sentAt
  await heal?.()
  return { ...first, fate, callbacks, tookMs }
}

async function isPaidOnce(endpoints: readonly string[]): Promise<boolean> {
  for (const endpoint of endpoints) {
    const rows: readonly unknown[] = await withConnection(endpoint, async (connection) => {
      await connection.query('SET SESSION wsrep_sync_wait = 1')
      return connection.query('SELECT n FROM paid WHERE invoice = 7')
    })
    if (rows.length !== 1) return false
  }
  return true
}
