import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { createMariadb } from '@ha/mariadb'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { ms, spread } from '../harness/stats.ts'
import { wallMs } from '../harness/timing.ts'
import { endpointsOf, jdbcUrl, withCluster } from './cluster.ts'

// What a client without any traffic may take to hold a frozen server to be down.
const maxFaultMs = 2_000
const waitMs = 5_000

/** `npm run drill -- mariadb-idle-freeze`: the writer freezes while the client is idle. */
export async function idleFreezeDrill(argv: readonly string[]): Promise<boolean> {
  const rounds = positive(readOptions(argv, ['rounds'])['rounds'], 10, 'rounds')
  return withCluster('drill', { mode: 'sequential', detectMs: 1_000 }, async (lab) => {
    const tookMs: number[] = []
    for (let round = 0; round < rounds; round++) {
      tookMs.push(await freeze(lab))
      console.log(`  down after ${ms(tookMs.at(-1))}`)
    }
    report(tookMs, lab.version)
    return tookMs.every((each) => each <= maxFaultMs)
  })
}

async function freeze(lab: Lab): Promise<number> {
  const endpoints = endpointsOf(lab)
  const [[victim, endpoint] = ['', '']] = endpoints
  await using mariadb = createMariadb(jdbcUrl('sequential', [...endpoints.values()]))
  await mariadb.ready()
  // At a moment of its own in the rhythm of the monitor.
  await sleep(2_000 + Math.random() * 1_000)
  const down = new Promise<number>((resolve) => {
    mariadb.events.on('host', (change) => {
      if (change.endpoint === endpoint && change.to === 'down') resolve(wallMs())
    })
  })
  const frozenAtMs = wallMs()
  const lease = await lab.pause(victim, { forMs: 60_000 })
  const downAtMs = await Promise.race([down, sleep(waitMs, Number.POSITIVE_INFINITY)])
  // The others go on without it first: a member that wakes in the middle of that makes them begin anew.
  await sleep(waitMs)
  await lease.heal()
  await lab.ready()
  return downAtMs - frozenAtMs
}

function report(tookMs: readonly number[], version: string): void {
  const { median, max } = spread(tookMs) ?? { median: Number.NaN, max: Number.NaN }
  const rows = [[String(tookMs.length), ms(median), ms(max), ms(maxFaultMs)]]
  const table = markdownTable(['freezes', 'down after, median', 'worst', 'at most'], rows)
  const title = `MariaDB ${version}, Galera of three: the writer is frozen while the client is idle`
  const where = saveResults('drill-mariadb-idle-freeze', { title, table, pictures: [], data: tookMs })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}
