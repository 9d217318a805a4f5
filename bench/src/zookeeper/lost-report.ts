import { saveResults } from '../harness/results.ts'
import { ms, spread } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import type { Losses } from './losses.ts'

/** Prints and saves what the outages came to. */
export function reportLosses(all: readonly Losses[], version: string): void {
  const head = ['', ...all.map(({ sessionTimeoutMs }) => `sessions of ${ms(sessionTimeoutMs)}`)]
  const rows = lines.map(([name, cell]) => [name, ...all.map(cell)])
  const title = `ZooKeeper ${version}: all three servers are frozen, for two sessions and for about one`
  const table = markdownTable(head, rows)
  const where = saveResults('drill-zookeeper-lost', { title, table, pictures: [], data: all })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

const lines: readonly (readonly [name: string, cell: (losses: Losses) => string])[] = [
  ['outages', ({ outages }) => String(outages.length)],
  ['they lasted', ({ outages }) => range(outages.map(({ lastedMs }) => lastedMs))],
  ['the ensemble hung afterwards', ({ outages }) => String(outages.filter(({ isHung }) => isHung).length)],
  ['said LOST', ({ outages }) => String(lost(outages).length)],
  ['LOST after the last answered request', ({ outages }) => range(lost(outages))],
  [
    'all registered after the new session',
    ({ outages }) => range(outages.map((one) => one.registeredAfterMs ?? Number.POSITIVE_INFINITY)),
  ],
  ['lock had', ({ cast }) => String(cast.leases.acquired)],
  ['leases valid at one instant', ({ cast }) => String(cast.leases.overlaps)],
  ['signals after a rival had the lock', ({ cast }) => String(cast.leases.signalledLate)],
  ['writes to the store', ({ cast }) => String(cast.leases.writes)],
  ['valid ones turned away', ({ cast }) => String(cast.leases.rejectedValid)],
  [
    'stale tokens: taken, turned away',
    ({ cast }) => `${cast.leases.acceptedStale}, ${cast.leases.rejectedStale}`,
  ],
  ['registered at the end', ({ cast }) => String(cast.registered)],
  ['fewest instances in the view', ({ cast }) => String(cast.fewestInstances)],
  ['caches that differ from a fresh read', ({ cast }) => String(cast.differences.length)],
  ['unhandled', ({ cast }) => String(cast.unhandled.length)],
]

function lost(outages: Losses['outages']): readonly number[] {
  return outages.flatMap(({ lostAfterMs }) => lostAfterMs ?? [])
}

function range(values: readonly number[]): string {
  const found = spread(values)
  return found === undefined ? '' : `${ms(found.min)} to ${ms(found.max)}`
}
