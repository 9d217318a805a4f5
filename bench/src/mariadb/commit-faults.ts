import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { createMariadb, type Mariadb } from '@ha/mariadb'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { wallMs } from '../harness/timing.ts'
import { explain } from './clients.ts'
import { endpointsOf, jdbcUrl, withCluster } from './cluster.ts'
import {
  type FaultMode,
  injectConnectionFault,
  type ProxiedCluster,
  points,
  proxyCluster,
  type TransactionPoint,
} from './connection-faults.ts'
import { checkLog, type LogVerdict, type Op } from './operation-log.ts'
import { createTables, readEverywhere, type Tables, tablesOf } from './tables.ts'

/** What the transactions came to whose line broke at one point. */
interface CommitFaultResult {
  readonly point: TransactionPoint
  readonly how: FaultMode
  /** How often the callback ran, all together. */
  readonly callbacks: number
  /** How many were settled by the commit log. */
  readonly resolved: number
  readonly verdict: LogVerdict
}

/** `npm run drill -- mariadb-commit`: the connection breaks at each point of a transaction with a commit log. */
export async function commitFaultsDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['runs', 'freezes'])
  const runs = positive(options['runs'], 10, 'runs')
  const freezes = positive(options['freezes'], 2, 'freezes')
  return withCluster('drill', { mode: 'sequential', detectMs: 1_000 }, async (lab) => {
    const faultCase = points.flatMap((point) => [
      { point, how: 'reset' as const, runs },
      { point, how: 'dead line' as const, runs },
      { point, how: 'frozen server' as const, runs: freezes },
    ])
    await using proxied = await proxyCluster(lab)
    const url = jdbcUrl('sequential', [...proxied.proxies.keys()])
    await using mariadb = createMariadb(url, { commitLog: { create: true } })
    await mariadb.ready()
    const tables = tablesOf(0, 'commit')
    await createTables(firstOf(lab), tables)
    const results = await runCases({ proxied, mariadb, tables }, faultCase)
    reportCommitFaults(results, lab.version)
    return results.every(({ verdict }) => holdsGuarantees(verdict))
  })
}

function holdsGuarantees({
  lost,
  twice,
  wronglyNotDone,
  unknown,
  unsettled,
  wrongSums,
  unequalNodes,
}: LogVerdict): boolean {
  return lost + twice + wronglyNotDone + unknown + unsettled + wrongSums + unequalNodes === 0
}

function firstOf(lab: Lab): string {
  return [...endpointsOf(lab).values()][0] ?? ''
}

interface DrillContext {
  readonly proxied: ProxiedCluster
  readonly mariadb: Mariadb
  readonly tables: Tables
}

interface FaultCase {
  readonly point: TransactionPoint
  readonly how: FaultMode
  readonly runs: number
}

interface CompletedCase {
  readonly faultCase: FaultCase
  readonly ops: readonly Op[]
  readonly callbacks: number
  readonly resolved: number
}

async function runCases(
  context: DrillContext,
  all: readonly FaultCase[],
): Promise<readonly CommitFaultResult[]> {
  let resolved = 0
  context.mariadb.events.on('outcomeResolved', () => {
    resolved += 1
  })
  const completed: CompletedCase[] = []
  for (const faultCase of all) {
    const before = resolved
    const ops: Op[] = []
    const attempts: number[] = []
    for (let run = 0; run < faultCase.runs; run++) {
      const id = completed.reduce((sum, each) => sum + each.ops.length, 0) + ops.length
      const onCallback = (attempt: number): unknown => attempts.push(attempt)
      ops.push(await transferThroughBreak(context, { ...faultCase, id, onCallback }))
    }
    completed.push({ faultCase, ops, callbacks: attempts.length, resolved: resolved - before })
    console.log(`  ${faultCase.how} at ${faultCase.point}: ${ops.map(({ outcome }) => outcome).join(' ')}`)
  }
  const { lab } = context.proxied
  await lab.ready()
  const contents = await readEverywhere([...endpointsOf(lab).values()], context.tables, 'sequential')
  return completed.map(({ faultCase, ops, ...counts }) => ({
    ...faultCase,
    ...counts,
    verdict: checkLog(ops, contents),
  }))
}

async function transferThroughBreak(
  context: DrillContext,
  cut: FaultCase & { readonly id: number; readonly onCallback: (attempt: number) => unknown },
): Promise<Op> {
  const { id, point } = cut
  let heal: (() => Promise<void>) | undefined
  const breakAt = async (here: TransactionPoint, endpoint: string): Promise<void> => {
    if (here !== point || heal !== undefined) return
    heal = await injectConnectionFault(context.proxied, { ...cut, endpoint })
  }
  const open: Op = {
    id,
    kind: 'transfer',
    startedAtMs: wallMs(),
    settledAtMs: undefined,
    outcome: 'unsettled',
    error: undefined,
    stale: false,
  }
  await breakAt('BEGIN', context.mariadb.health().writer ?? '')
  const settled = await transfer(context, cut, breakAt).then(
    () => ({ outcome: 'done' as const }),
    (error: unknown) => explain(error),
  )
  // Whatever the line holds goes on its way now: the late COMMIT among it.
  await heal?.()
  await sleep(300)
  return { ...open, ...settled, settledAtMs: wallMs() }
}

function transfer(
  { mariadb, tables }: DrillContext,
  { id, onCallback }: { readonly id: number; readonly onCallback: (attempt: number) => unknown },
  breakAt: (here: TransactionPoint, endpoint: string) => Promise<void>,
): Promise<void> {
  const [source, target, amount] = [id % 7, 7 + (id % 11), 1 + (id % 5)]
  return mariadb.transaction(async (transaction) => {
    const { endpoint, attempt } = transaction
    onCallback(attempt)
    const book = `UPDATE ${tables.accounts} SET balance = balance + ? WHERE id = ?`
    await transaction.query(book, [-amount, source])
    await breakAt('middle', endpoint)
    await transaction.query(book, [amount, target])
    await breakAt('last statement', endpoint)
    const note = `INSERT INTO ${tables.journal} (id, source, target, amount) VALUES (?, ?, ?, ?)`
    await transaction.query(note, [id, source, target, amount])
    await breakAt('COMMIT sent', endpoint)
    await breakAt('COMMIT arrived', endpoint)
    await breakAt('COMMIT answered', endpoint)
  })
}

/** Prints and saves what the transactions came to whose line broke. */
function reportCommitFaults(results: readonly CommitFaultResult[], version: string): void {
  const head = [
    'connection breaks at',
    'how',
    'transactions',
    'done',
    'reported rolled back',
    'unknown',
    'callbacks run',
    'lost',
    'applied twice',
    'falsely rolled back',
    'sums, nodes',
  ]
  const rows = results.map(({ point, how, callbacks, verdict }) => [
    point,
    how,
    String(verdict.writes),
    String(verdict.done),
    String(verdict.notDone),
    String(verdict.unknown),
    String(callbacks),
    String(verdict.lost),
    String(verdict.twice),
    String(verdict.wronglyNotDone),
    verdict.wrongSums + verdict.unequalNodes === 0 ? 'exact, equal' : 'WRONG',
  ])
  const table = markdownTable(head, rows)
  const title = `MariaDB ${version}, Galera of three: transactions with a commit log whose connection breaks`
  const where = saveResults('drill-mariadb-commit', { title, table, pictures: [], data: results })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
