import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { createMariadb, type Mariadb } from '@ha/mariadb'
import type { Connection } from 'mariadb'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { ms } from '../harness/stats.ts'
import { Pace, wallMs } from '../harness/timing.ts'
import { explain } from './clients.ts'
import { addressOf, connect, endpointsOf, jdbcUrl, withCluster, withConnection } from './cluster.ts'

// Until no node believes any more that it has a quorum.
const lossMs = 8_000
const afterMs = 4_000
const ratePerSecond = 100
// Shorter than the outage, so that callers hear why.
const timeoutMs = 1_500

const maxResumeMs = 2_000

/** What one loss of the quorum came to. */
interface QuorumLoss {
  /** The outcomes of calls meanwhile. */
  readonly outcomes: Readonly<Record<string, number>>
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
    await withConnection(endpoint, (connection) =>
      connection.query('CREATE TABLE quorum (n BIGINT AUTO_INCREMENT PRIMARY KEY)'),
    )
    const losses: QuorumLoss[] = []
    for (let round = 0; round < rounds; round++) {
      losses.push(await loseQuorum(lab, seconds * 1_000))
      await lab.ready()
    }
    const dialsPerSecond = await loseAll(lab, seconds * 1_000)
    report(losses, dialsPerSecond, lab.version)
    return losses.every(holdsGuarantees) && areWithinLimit(dialsPerSecond)
  })
}

// Nothing is healed: the cluster ends with the drill.
async function loseAll(lab: Lab, forMs: number): Promise<readonly number[]> {
  const endpoints = [...endpointsOf(lab).values()]
  await using mariadb = createMariadb(jdbcUrl('sequential', endpoints), { timeoutMs })
  await mariadb.ready()
  const traffic = new InsertTraffic(mariadb)
  traffic.start()
  await sleep(1_000)
  await Promise.all(lab.nodes.map(({ name }) => lab.kill(name, { forMs: 300_000 })))
  const dials = await countDials(endpoints, forMs)
  traffic.stop()
  return dials.map((each) => (each / forMs) * 1_000)
}

// What one second more or less makes of a rate of one.
const maxDialsPerSecond = 1.1

function areWithinLimit(dialsPerSecond: readonly number[]): boolean {
  return dialsPerSecond.every((each) => each <= maxDialsPerSecond)
}

async function loseQuorum(lab: Lab, forMs: number): Promise<QuorumLoss> {
  const endpoints = [...endpointsOf(lab).values()]
  await using mariadb = createMariadb(jdbcUrl('sequential', endpoints), { timeoutMs })
  await mariadb.ready()
  const traffic = new InsertTraffic(mariadb)
  traffic.start()
  await sleep(1_000)
  const leases = await Promise.all(lab.nodes.map(({ name }) => lab.isolate(name, { forMs: 300_000 })))
  await sleep(lossMs)
  const watching = new AbortController()
  const statuses = Promise.all(endpoints.map((endpoint) => watchNode(endpoint, watching.signal)))
  const lostAtMs = wallMs()
  await sleep(forMs)
  const healedAtMs = wallMs()
  await Promise.all(leases.map((lease) => lease.heal()))
  await lab.ready()
  await sleep(afterMs)
  traffic.stop()
  watching.abort()
  const seen = await statuses
  const primaryAtMs = Math.min(...seen.flat().flatMap(({ atMs, isPrimary }) => (isPrimary ? [atMs] : [])))
  const meanwhile = seen.map((each) => each.filter(({ atMs }) => atMs < healedAtMs))
  return {
    outcomes: traffic.outcomesBetween(lostAtMs, healedAtMs),
    dialsPerSecond: meanwhile.map((each) => (grown(each, 'connections') / forMs) * 1_000),
    sent: meanwhile.reduce((sum, each) => sum + grown(each, 'inserts'), 0),
    resumedMs: traffic.firstDoneAfter(healedAtMs) - primaryAtMs,
  }
}

function grown(statuses: readonly NodeStatus[], what: 'connections' | 'inserts'): number {
  return (statuses.at(-1)?.[what] ?? 0) - (statuses[0]?.[what] ?? 0)
}

/** Inserts at a steady rate, and what came of each. */
class InsertTraffic {
  readonly #pace: Pace
  readonly #outcomes: { readonly atMs: number; readonly outcome: string }[] = []

  constructor(mariadb: Mariadb) {
    this.#pace = new Pace(ratePerSecond, () => void this.#insert(mariadb))
  }

  start(): void {
    this.#pace.start()
  }

  stop(): void {
    this.#pace.stop()
  }

  outcomesBetween(fromMs: number, toMs: number): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { atMs, outcome } of this.#outcomes) {
      if (atMs >= fromMs && atMs < toMs) counts[outcome] = (counts[outcome] ?? 0) + 1
    }
    return counts
  }

  firstDoneAfter(fromMs: number): number {
    const first = this.#outcomes.find(({ atMs, outcome }) => atMs >= fromMs && outcome === 'done')
    return first?.atMs ?? Number.POSITIVE_INFINITY
  }

  async #insert(mariadb: Mariadb): Promise<void> {
    const outcome = await mariadb.query('INSERT INTO quorum () VALUES ()').then(
      () => 'done',
      (error: unknown) => {
        const { outcome, error: code } = explain(error)
        return `${outcome}: ${code}`
      },
    )
    this.#outcomes.push({ atMs: wallMs(), outcome })
  }
}

function holdsGuarantees({ outcomes, dialsPerSecond, sent, resumedMs }: QuorumLoss): boolean {
  const onlyOwnError = Object.keys(outcomes).every((outcome) =>
    /^not-done: .*no-primary-component/.test(outcome),
  )
  return onlyOwnError && sent === 0 && areWithinLimit(dialsPerSecond) && resumedMs <= maxResumeMs
}

function report(losses: readonly QuorumLoss[], dials: readonly number[], version: string): void {
  const rows = losses.map(({ outcomes, dialsPerSecond, sent, resumedMs }) => [
    Object.entries(outcomes)
      .map(([outcome, count]) => `${count} x ${outcome}`)
      .join(', '),
    rates(dialsPerSecond),
    String(sent),
    ms(resumedMs),
  ])
  const head = [
    'errors meanwhile',
    'logins a second, each node',
    'inserts sent',
    'first write after the first Primary',
  ]
  const gone = `All three killed: ${rates(dials)} dials a second at each.`
  const table = `${markdownTable(head, rows)}\n\n${gone}`
  const title = `MariaDB ${version}, Galera of three: no node has a quorum, then the partition heals`
  const where = saveResults('drill-mariadb-quorum', { title, table, pictures: [], data: { losses, dials } })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

function rates(perSecond: readonly number[]): string {
  return perSecond.map((each) => each.toFixed(1)).join(', ')
}

/** What a node said of itself at one moment. */
interface NodeStatus {
  readonly atMs: number
  readonly isPrimary: boolean
  /** Logins and attempts at it since the server was started. */
  readonly connections: number
  /** Rows that clients asked to insert. */
  readonly inserts: number
}

const watchEveryMs = 20

/** Looks at a node again and again on one connection of the bare driver, until the signal fires. */
async function watchNode(endpoint: string, signal: AbortSignal): Promise<readonly NodeStatus[]> {
  const statuses: NodeStatus[] = []
  const connection = await connect(endpoint)
  try {
    while (!signal.aborted) {
      statuses.push(await readStatus(connection))
      await sleep(watchEveryMs)
    }
  } finally {
    connection.destroy()
  }
  return statuses
}

async function readStatus(connection: Connection): Promise<NodeStatus> {
  const rows: readonly { readonly Variable_name: string; readonly Value: string }[] = await connection.query(
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'Connections', 'Com_insert')",
  )
  const values = new Map(rows.map((row) => [row.Variable_name, row.Value]))
  return {
    atMs: wallMs(),
    isPrimary: values.get('wsrep_cluster_status') === 'Primary',
    connections: Number(values.get('Connections')),
    inserts: Number(values.get('Com_insert')),
  }
}

/** Listens on the addresses of dead servers, closes each connection, and counts the dials of each address in `forMs`. */
async function countDials(endpoints: readonly string[], forMs: number): Promise<readonly number[]> {
  const calls = endpoints.map(() => 0)
  const servers: Server[] = []
  try {
    for (const [i, endpoint] of endpoints.entries()) {
      servers.push(
        await listenAt(endpoint, () => {
          calls[i] = (calls[i] ?? 0) + 1
        }),
      )
    }
    await sleep(forMs)
  } finally {
    for (const server of servers) server.close()
  }
  return calls
}

async function listenAt(endpoint: string, onCall: () => void): Promise<Server> {
  const server = createServer((socket) => {
    onCall()
    // Errors are ignored: the connection is closed at once.
    socket.on('error', () => undefined)
    socket.destroy()
  })
  server.listen(addressOf(endpoint))
  await once(server, 'listening')
  return server
}
