// A client with a view of a service in a process of its own, which measures itself while the view is stale.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createZookeeper } from '@ha/zookeeper'
import { wallMs } from '../harness/timing.ts'
import { type ClientEvent, runAsWorker } from '../harness/worker.ts'
import { forwardEvents } from './clients.ts'
import { serviceName, type WatcherCount, type WatcherOutcome, type WatcherSetup } from './recipe-clients.ts'

const pickEveryMs = 50
// What an outage costs at its beginning, such as code that is compiled, is no growth.
const settleMs = 10_000

runAsWorker<WatcherSetup, WatcherCount, WatcherOutcome>(async ({ connect, basePath }) => {
  const events: ClientEvent[] = []
  const zookeeper = createZookeeper({ connect })
  forwardEvents(zookeeper, (name, facts) => events.push({ atMs: wallMs(), name, facts }))
  const view = zookeeper.discovery({ basePath }).service(serviceName)
  await view.ready()
  const seen = { picks: 0, emptyPicks: 0, fewestInstances: view.all().length }
  let staleSinceMs: number | undefined
  let staleMs = 0
  let before: Footprint | undefined
  const looking = setInterval(() => {
    seen.picks += 1
    if (view.pick() === undefined) seen.emptyPicks += 1
    seen.fewestInstances = Math.min(seen.fewestInstances, view.all().length)
    if (!view.stale) return
    staleSinceMs ??= wallMs()
    staleMs = wallMs() - staleSinceMs
    if (staleMs >= settleMs) before ??= footprint()
  }, pickEveryMs)
  return {
    count: () => ({ stale: staleMs }),
    async finish() {
      clearInterval(looking)
      const after = footprint()
      const first = before ?? after
      const { picks, emptyPicks, fewestInstances } = seen
      return {
        events,
        picks,
        emptyPicks,
        fewestInstances,
        staleMs,
        bytesBefore: first.bytes,
        bytesAfter: after.bytes,
        residentBefore: first.resident,
        residentAfter: after.resident,
        cpuPercent: (100 * (after.cpuMs - first.cpuMs)) / Math.max(1, after.atMs - first.atMs),
      }
    },
    close: () => zookeeper.close(),
  }
})

interface Footprint {
  readonly atMs: number
  readonly cpuMs: number
  readonly bytes: number
  readonly resident: number
}

function footprint(): Footprint {
  collectGarbage()
  const { user, system } = process.cpuUsage()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { atMs: wallMs(), cpuMs: (user + system) / 1_000, bytes: heapUsed + external, resident: rss }
}

// Only a context that is made after the flag has this function.
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}
