import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { formatEndpoint } from '@ha/core'
import { createMariadb, type Mariadb } from '@ha/mariadb'
import { bothWays, type FaultProxy, faultProxy } from '@ha/testing/proxy'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { ms } from '../harness/stats.ts'
import { connect, endpointsOf, jdbcUrl, withCluster } from './cluster.ts'

const parallelConnects = 2
// Makes a login last long enough to be seen by a poll every few milliseconds.
const delayMs = 40
const outageMs = 5_000
const lookEveryMs = 5

/** What the return of all servers came to. */
interface RecoveryResult {
  readonly waiters: number
  readonly failed: number
  readonly tookMs: number
  /** Logins under way at the same time, at the most, as each server counted them. */
  readonly maxLogins: Readonly<Record<string, number>>
  /** Connections that each server got, all together. */
  readonly connections: Readonly<Record<string, number>>
}

/** `npm run drill -- mariadb-waiters`: hundreds wait when all servers come back at once. */
export async function waitersDrill(argv: readonly string[]): Promise<boolean> {
  const waiters = positive(readOptions(argv, ['waiters'])['waiters'], 500, 'waiters')
  return withCluster('drill', { mode: 'sequential', detectMs: 1_000 }, async (lab) => {
    const result = await comeBack(lab, waiters)
    report(result, lab.version)
    return result.failed === 0 && Math.max(...Object.values(result.maxLogins)) <= parallelConnects
  })
}

async function comeBack(lab: Lab, waiters: number): Promise<RecoveryResult> {
  const proxies = await Promise.all(lab.nodes.map(({ endpoint }) => faultProxy({ to: endpoint })))
  const addresses = proxies.map(({ endpoint }) => formatEndpoint(endpoint))
  await using mariadb = createMariadb(jdbcUrl('loadbalance', addresses), { pool: { parallelConnects } })
  try {
    await mariadb.ready()
    await Promise.all(proxies.map((proxy) => proxy.admit('refuse')))
    for (const proxy of proxies) proxy.cut('close')
    await sleep(outageMs)
    for (const proxy of proxies) proxy.set(bothWays({ kind: 'latency', delayMs }))
    return await underWatch(lab, proxies, () => callAll(mariadb, proxies, waiters))
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.close()))
  }
}

type CallsResult = Pick<RecoveryResult, 'waiters' | 'failed' | 'tookMs'>

async function callAll(
  mariadb: Mariadb,
  proxies: readonly FaultProxy[],
  waiters: number,
): Promise<CallsResult> {
  const all = Array.from({ length: waiters }, () => mariadb.query('SELECT SLEEP(0.02)', [], { route: 'any' }))
  const settled = Promise.allSettled(all)
  const backAtMs = performance.now()
  await Promise.all(proxies.map((proxy) => proxy.admit('open')))
  const failed = (await settled).filter(({ status }) => status === 'rejected').length
  return { waiters, failed, tookMs: performance.now() - backAtMs }
}

async function underWatch(
  lab: Lab,
  proxies: readonly FaultProxy[],
  work: () => Promise<CallsResult>,
): Promise<RecoveryResult> {
  const names = lab.nodes.map(({ name }) => name)
  const before = proxies.map(({ counters }) => counters.accepted)
  const watching = new AbortController()
  const most = Promise.all(
    [...endpointsOf(lab).values()].map((endpoint) => maxLoginsAt(endpoint, watching.signal)),
  )
  const calls = await work()
  watching.abort()
  const byName = (values: readonly number[]): Readonly<Record<string, number>> =>
    Object.fromEntries(names.map((name, i) => [name, values[i] ?? 0]))
  const connections = proxies.map(({ counters }, i) => counters.accepted - (before[i] ?? 0))
  return { ...calls, maxLogins: byName(await most), connections: byName(connections) }
}

async function maxLoginsAt(endpoint: string, signal: AbortSignal): Promise<number> {
  const connection = await connect(endpoint)
  let most = 0
  try {
    while (!signal.aborted) {
      const [row] = await connection.query(
        "SELECT COUNT(*) AS logins FROM information_schema.PROCESSLIST WHERE USER = 'unauthenticated user'",
      )
      most = Math.max(most, row.logins)
      await sleep(lookEveryMs)
    }
  } finally {
    connection.destroy()
  }
  return most
}

function report({ waiters, failed, tookMs, maxLogins, connections }: RecoveryResult, version: string): void {
  const each = (values: Readonly<Record<string, number>>): string =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  const rows = [
    ['calls that waited', String(waiters)],
    ['of them failed', String(failed)],
    ['all answered after', ms(tookMs)],
    [`logins at the same time, at the most (${parallelConnects} configured)`, each(maxLogins)],
    ['connections made', each(connections)],
  ]
  const table = markdownTable(['what', 'measured'], rows)
  const title = `MariaDB ${version}, Galera of three: all come back at once`
  const data = { waiters, failed, tookMs, maxLogins, connections }
  const where = saveResults('drill-mariadb-waiters', { title, table, pictures: [], data })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
