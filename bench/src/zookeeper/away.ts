import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '@ha/bootstrap'
import { positive, readOptions } from '../harness/args.ts'
import { markdownTable, saveResults } from '../harness/report.ts'
import { ms } from '../harness/stats.ts'
import type { WorkerResult } from '../harness/worker.ts'
import { endpointsOf, withEnsemble } from './ensemble.ts'
import { onSession } from './raw-session.ts'
import {
  type RegistrantRun,
  runRegistrant,
  runWatcher,
  type WatcherOutcome,
  type WatcherRun,
} from './recipe-clients.ts'

const root = '/away'
const instances = 50
const maxGrowthBytes = 5 * 1024 * 1024
const maxCpuPercent = 2
// The view may notice that the servers are gone only when its session is over.
const noticeMs = 12_000

type Watched = WorkerResult<WatcherOutcome>

/** `npm run drill -- zookeeper-away`: all servers are killed and stay away, while a service is looked up all the time. */
export async function awayDrill(argv: readonly string[]): Promise<boolean> {
  const minutes = positive(readOptions(argv, ['minutes'])['minutes'], 5, 'minutes')
  return withEnsemble('drill', async (lab) => {
    const watched = await stayAway(lab, minutes * 60_000)
    report(watched, lab.version, minutes)
    return holdsGuarantees(watched, minutes * 60_000)
  })
}

function holdsGuarantees(watched: Watched, awayMs: number): boolean {
  const { staleMs, emptyPicks, fewestInstances, cpuPercent, unhandled } = watched
  const isServing = emptyPicks === 0 && fewestInstances === instances
  const isCheap = growthOf(watched) < maxGrowthBytes && cpuPercent < maxCpuPercent
  return isServing && isCheap && staleMs >= awayMs - noticeMs && unhandled.length === 0
}

async function stayAway(lab: Lab, awayMs: number): Promise<Watched> {
  const [endpoint = ''] = endpointsOf(lab).values()
  await onSession(endpoint, (session) => session.create(root))
  const basePath = `${root}/services`
  const runs: (RegistrantRun | WatcherRun)[] = []
  try {
    const registrant = await runRegistrant({
      connect: lab.url,
      sessionTimeoutMs: 10_000,
      basePath,
      instances,
    })
    runs.push(registrant)
    const watcher = await runWatcher({ connect: lab.url, basePath })
    runs.push(watcher)
    await sleep(2_000)
    // The ensemble ends with the drill: nothing is healed.
    await Promise.all(lab.nodes.map(({ name }) => lab.kill(name, { forMs: awayMs + 600_000 })))
    await sleep(awayMs)
    return await watcher.stop(0)
  } finally {
    for (const run of runs) run.kill()
  }
}

function growthOf({ bytesBefore, bytesAfter }: Watched): number {
  return bytesAfter - bytesBefore
}

function report(watched: Watched, version: string, minutes: number): void {
  const { staleMs, picks, emptyPicks, fewestInstances, cpuPercent, unhandled } = watched
  const rows = [
    ['view reported stale for', ms(staleMs)],
    ['picks, of them empty', `${picks}, ${emptyPicks}`],
    ['fewest instances in the view', `${fewestInstances} of ${instances}`],
    ['memory in use grew by', mib(growthOf(watched))],
    ['resident memory grew by', mib(watched.residentAfter - watched.residentBefore)],
    ['processor', `${cpuPercent.toFixed(2)} %`],
    ['unhandled', String(unhandled.length)],
  ]
  const table = markdownTable(['what', 'measured'], rows)
  const title = `ZooKeeper ${version}: all three servers are away for ${minutes} min, and a service is looked up 20 times a second`
  const where = saveResults('drill-zookeeper-away', { title, table, pictures: [], data: watched })
  console.log(`\n${title}\n\n${table}\n\nWritten: ${where.join(', ')}`)
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(2)} MiB`
}
