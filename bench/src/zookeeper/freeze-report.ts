import { saveResults } from '../harness/results.ts'
import { ms } from '../harness/stats.ts'
import { markdownTable } from '../harness/table.ts'
import { freezeMs, sessionTimeoutMs } from './freeze-times.ts'
import type { Frozen } from './frozen.ts'

/** Prints and saves how everybody fared whose server was frozen. */
export function reportFreezes(all: readonly Frozen[], version: string): void {
  const head = [
    'client',
    'traffic',
    'moved after',
    'session',
    'ephemeral',
    'watch told of a change',
    'longest call',
    'calls failed',
    'never settled',
    'unhandled',
  ]
  const rows = all.map((one) => [
    one.name,
    one.writesPerSecond === 0 ? 'idle' : `${one.writesPerSecond} writes/s`,
    one.movedAfterMs === undefined ? 'not before the thaw' : ms(one.movedAfterMs),
    one.isSessionKept ? 'kept' : 'LOST',
    one.isEphemeralKept ? 'kept' : 'LOST',
    one.isWatchTold ? 'yes' : 'no',
    one.longestCallMs === undefined ? '' : ms(one.longestCallMs),
    String(one.failed),
    String(one.unsettled),
    String(one.unhandled.length),
  ])
  const title = `ZooKeeper ${version}, three servers: the server of each client is frozen for ${ms(freezeMs)}, sessions of ${ms(sessionTimeoutMs)}`
  const table = markdownTable(head, rows)
  const where = saveResults('drill-zookeeper-freeze', { title, table, pictures: [], data: all })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
