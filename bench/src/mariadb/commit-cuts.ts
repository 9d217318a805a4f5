import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { createMariadb, type Mariadb } from '@ha/mariadb'
import { positive, readOptions } from '../harness/args.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { endpointsOf, jdbcUrl, withCluster } from './cluster.ts'
import { reportCuts } from './commit-cuts-report.ts'
import { judgeLedger, type LedgerVerdict, type Op } from './ledger.ts'
import { type Break, breakLine, type Lines, layLines, type Point, points } from './line-breaks.ts'
import { explain } from './ours.ts'
import { createTables, readEverywhere, type Tables, tablesOf } from './tables.ts'

/** What the transactions came to whose line broke at one point. */
export interface CutResult {
  readonly point: Point
  readonly how: Break
  /** How often the callback ran, all together. */
  readonly callbacks: number
  /** How many were settled by the ledger. */
  readonly resolved: number
  readonly verdict: LedgerVerdict
}

/** `npm run drill -- mariadb-commit`: the line breaks at each point of a transaction with a ledger. */
export async function commitCutsDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['runs', 'freezes'])
  const runs = positive(options['runs'], 10, 'runs')
  const freezes = positive(options['freezes'], 2, 'freezes')
  return withCluster('drill', { mode: 'sequential', detectMs: 1_000 }, async (lab) => {
    const cuts = points.flatMap((point) => [
      { point, how: 'reset' as const, runs },
      { point, how: 'dead line' as const, runs },
      { point, how: 'frozen server' as const, runs: freezes },
    ])
    await using lines = await layLines(lab)
    const url = jdbcUrl('sequential', [...lines.proxies.keys()])
    await using mariadb = createMariadb(url, { commitLog: { create: true } })
    await mariadb.ready()
    const tables = tablesOf(0, 'commit')
    await createTables(firstOf(lab), tables)
    const results = await playAll({ lines, mariadb, tables }, cuts)
    reportCuts(results, lab.version)
    return results.every(({ verdict }) => isKept(verdict))
  })
}

function isKept({
  lost,
  twice,
  wronglyNotDone,
  unknown,
  unsettled,
  wrongSums,
  unequalNodes,
}: LedgerVerdict): boolean {
  return lost + twice + wronglyNotDone + unknown + unsettled + wrongSums + unequalNodes === 0
}

function firstOf(lab: Lab): string {
  return [...endpointsOf(lab).values()][0] ?? ''
}

interface Stage {
  readonly lines: Lines
  readonly mariadb: Mariadb
  readonly tables: Tables
}

interface Cuts {
  readonly point: Point
  readonly how: Break
  readonly runs: number
}

interface Played {
  readonly cuts: Cuts
  readonly ops: readonly Op[]
  readonly callbacks: number
  readonly resolved: number
}

async function playAll(stage: Stage, all: readonly Cuts[]): Promise<readonly CutResult[]> {
  let resolved = 0
  stage.mariadb.events.on('outcomeResolved', () => {
    resolved += 1
  })
  const played: Played[] = []
  for (const cuts of all) {
    const before = resolved
    const ops: Op[] = []
    const attempts: number[] = []
    for (let run = 0; run < cuts.runs; run++) {
      const id = played.reduce((sum, each) => sum + each.ops.length, 0) + ops.length
      const onCallback = (attempt: number): unknown => attempts.push(attempt)
      ops.push(await transferThroughBreak(stage, { ...cuts, id, onCallback }))
    }
    played.push({ cuts, ops, callbacks: attempts.length, resolved: resolved - before })
    console.log(`  ${cuts.how} at ${cuts.point}: ${ops.map(({ outcome }) => outcome).join(' ')}`)
  }
  const { lab } = stage.lines
  await lab.ready()
  const contents = await readEverywhere([...endpointsOf(lab).values()], stage.tables, 'sequential')
  return played.map(({ cuts, ops, ...counts }) => ({
    ...cuts,
    ...counts,
    verdict: judgeLedger(ops, contents),
  }))
}

async function transferThroughBreak(
  stage: Stage,
  cut: Cuts & { readonly id: number; readonly onCallback: (attempt: number) => unknown },
): Promise<Op> {
  const { id, point } = cut
  let heal: (() => Promise<void>) | undefined
  const breakAt = async (here: Point, endpoint: string): Promise<void> => {
    if (here !== point || heal !== undefined) return
    heal = await breakLine(stage.lines, { ...cut, endpoint })
  }
  const open: Op = {
    id,
    kind: 'transfer',
    begunAtMs: wallMs(),
    settledAtMs: undefined,
    outcome: 'unsettled',
    error: undefined,
    stale: false,
  }
  await breakAt('BEGIN', stage.mariadb.health().writer ?? '')
  const settled = await transfer(stage, cut, breakAt).then(
    () => ({ outcome: 'done' as const }),
    (error: unknown) => explain(error),
  )
  // Whatever the line holds goes on its way now: the late COMMIT among it.
  await heal?.()
  await sleep(300)
  return { ...open, ...settled, settledAtMs: wallMs() }
}

function transfer(
  { mariadb, tables }: Stage,
  { id, onCallback }: { readonly id: number; readonly onCallback: (attempt: number) => unknown },
  breakAt: (here: Point, endpoint: string) => Promise<void>,
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
