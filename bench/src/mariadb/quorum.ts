import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { createMariadb, type Mariadb } from '@ha/mariadb'
import { positive, readOptions } from '../harness/args.ts'
import { Pace } from '../harness/pace.ts'
import { saveResults } from '../harness/results.ts'
import { ms } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { endpointsOf, jdbcUrl, onConnection, withCluster } from './cluster.ts'
import { countDials } from './dial-count.ts'
import { type Sight, watchNode } from './node-watch.ts'
import { explain } from './ours.ts'

// Until no node believes any more that it has a quorum.
const lossMs = 8_000
const afterMs = 4_000
const ratePerSecond = 100
// Shorter than the outage, so that callers hear why.
const timeoutMs = 1_500

const mostResumeMs = 2_000

/** What one loss of the quorum came to. */
interface Loss {
  /** What callers were told meanwhile. */
  readonly told: Readonly<Record<string, number>>
  /** Logins at each node, a second. */
  readonly dialsPerSecond: readonly number[]
  /** Inserts that arrived at a node without a quorum. */
  readonly sent: number
  /** From the first Primary node to the first write. */
  readonly resumedMs: number
}

/** `npm run drill -- mariadb-quorum`: every node is cut off from the others, and then they meet again; at last all are killed. */
export async function quorumDrill(argv: readonly string[]): Promise<boolean> {
  const options = readOptions(argv, ['rounds', 'seconds'])
  const rounds = positive(options['rounds'], 3, 'rounds')
  const seconds = positive(options['seconds'], 10, 'seconds')
  return withCluster('drill', { mode: 'sequential', detectMs: 1_000 }, async (lab) => {
    const [endpoint = ''] = endpointsOf(lab).values()
    await onConnection(endpoint, (connection) =>
      connection.query('CREATE TABLE quorum (n BIGINT AUTO_INCREMENT PRIMARY KEY)'),
    )
    const losses: Loss[] = []
    for (let round = 0; round < rounds; round++) {
      losses.push(await loseQuorum(lab, seconds * 1_000))
      await lab.ready()
    }
    const dialsPerSecond = await loseAll(lab, seconds * 1_000)
    report(losses, dialsPerSecond, lab.version)
    return losses.every(isKept) && areFew(dialsPerSecond)
  })
}

// Nothing is healed: the cluster ends with the drill.
async function loseAll(lab: Lab, forMs: number): Promise<readonly number[]> {
  const endpoints = [...endpointsOf(lab).values()]
  await using mariadb = createMariadb(jdbcUrl('sequential', endpoints), { timeoutMs })
  await mariadb.ready()
  const traffic = new Trickle(mariadb)
  traffic.start()
  await sleep(1_000)
  await Promise.all(lab.nodes.map(({ name }) => lab.kill(name, { forMs: 300_000 })))
  const dials = await countDials(endpoints, forMs)
  traffic.stop()
  return dials.map((each) => (each / forMs) * 1_000)
}

// What one second more or less makes of a rate of one.
const mostDialsPerSecond = 1.1

function areFew(dialsPerSecond: readonly number[]): boolean {
  return dialsPerSecond.every((each) => each <= mostDialsPerSecond)
}

async function loseQuorum(lab: Lab, forMs: number): Promise<Loss> {
  const endpoints = [...endpointsOf(lab).values()]
  await using mariadb = createMariadb(jdbcUrl('sequential', endpoints), { timeoutMs })
  await mariadb.ready()
  const traffic = new Trickle(mariadb)
  traffic.start()
  await sleep(1_000)
  const leases = await Promise.all(lab.nodes.map(({ name }) => lab.isolate(name, { forMs: 300_000 })))
  await sleep(lossMs)
  const watching = new AbortController()
  const sights = Promise.all(endpoints.map((endpoint) => watchNode(endpoint, watching.signal)))
  const lostAtMs = wallMs()
  await sleep(forMs)
  const healedAtMs = wallMs()
  await Promise.all(leases.map((lease) => lease.heal()))
  await lab.ready()
  await sleep(afterMs)
  traffic.stop()
  watching.abort()
  const seen = await sights
  const primaryAtMs = Math.min(...seen.flat().flatMap(({ atMs, isPrimary }) => (isPrimary ? [atMs] : [])))
  const meanwhile = seen.map((each) => each.filter(({ atMs }) => atMs < healedAtMs))
  return {
    told: traffic.toldBetween(lostAtMs, healedAtMs),
    dialsPerSecond: meanwhile.map((each) => (grown(each, 'connections') / forMs) * 1_000),
    sent: meanwhile.reduce((sum, each) => sum + grown(each, 'inserts'), 0),
    resumedMs: traffic.firstDoneAfter(healedAtMs) - primaryAtMs,
  }
}

function grown(sights: readonly Sight[], what: 'connections' | 'inserts'): number {
  return (sights.at(-1)?.[what] ?? 0) - (sights[0]?.[what] ?? 0)
}

/** Inserts at a steady rate, and what came of each. */
class Trickle {
  readonly #pace: Pace
  readonly #told: { readonly atMs: number; readonly words: string }[] = []

  constructor(mariadb: Mariadb) {
    this.#pace = new Pace(ratePerSecond, () => void this.#insert(mariadb))
  }

  start(): void {
    this.#pace.start()
  }

  stop(): void {
    this.#pace.stop()
  }

  toldBetween(fromMs: number, toMs: number): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { atMs, words } of this.#told) {
      if (atMs >= fromMs && atMs < toMs) counts[words] = (counts[words] ?? 0) + 1
    }
    return counts
  }

  firstDoneAfter(fromMs: number): number {
    const first = this.#told.find(({ atMs, words }) => atMs >= fromMs && words === 'done')
    return first?.atMs ?? Number.POSITIVE_INFINITY
  }

  async #insert(mariadb: Mariadb): Promise<void> {
    const words = await mariadb.query('INSERT INTO quorum () VALUES ()').then(
      () => 'done',
      (error: unknown) => {
        const { outcome, error: code } = explain(error)
        return `${outcome}: ${code}`
      },
    )
    this.#told.push({ atMs: wallMs(), words })
  }
}

function isKept({ told, dialsPerSecond, sent, resumedMs }: Loss): boolean {
  const onlyOwnError = Object.keys(told).every((words) => /^not-done: .*no-primary-component/.test(words))
  return onlyOwnError && sent === 0 && areFew(dialsPerSecond) && resumedMs <= mostResumeMs
}

function report(losses: readonly Loss[], dials: readonly number[], version: string): void {
  const rows = losses.map(({ told, dialsPerSecond, sent, resumedMs }) => [
    Object.entries(told)
      .map(([words, count]) => `${count} x ${words}`)
      .join(', '),
    rates(dialsPerSecond),
    String(sent),
    ms(resumedMs),
  ])
  const head = [
    'told meanwhile',
    'logins a second, each node',
    'inserts sent',
    'first write after the first Primary',
  ]
  const gone = `All three killed: ${rates(dials)} dials a second at each.`
  const table = `${markdownTable(head, rows)}\n\n${gone}`
  const title = `MariaDB ${version}, Galera of three: no node has a quorum, then they meet again`
  const where = saveResults('drill-mariadb-quorum', { title, table, pictures: [], data: { losses, dials } })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

function rates(perSecond: readonly number[]): string {
  return perSecond.map((each) => each.toFixed(1)).join(', ')
}
