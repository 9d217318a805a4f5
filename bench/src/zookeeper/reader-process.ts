// A client with a view of a service and a cache in a process of its own.
import { type Cache, createZookeeper, type ServiceView } from '@ha/zookeeper'
import { wallMs } from '../harness/timing.ts'
import { type ClientEvent, runAsWorker } from '../harness/worker.ts'
import { forwardEvents } from './clients.ts'
import type { Register } from './contents.ts'
import { type ReaderCount, type ReaderOutcome, type ReaderSetup, serviceName } from './recipe-clients.ts'

const lookEveryMs = 20
// As long as a busy machine may take.
const readyMs = 25_000

runAsWorker<ReaderSetup, ReaderCount, ReaderOutcome>(
  async ({ connect, sessionTimeoutMs, basePath, registers }) => {
    const events: ClientEvent[] = []
    const zookeeper = createZookeeper({ connect, sessionTimeoutMs })
    forwardEvents(zookeeper, (name, facts) => events.push({ atMs: wallMs(), name, facts }))
    const view = zookeeper.discovery({ basePath }).service(serviceName)
    const cache = zookeeper.cache(registers, { depth: 1 })
    await Promise.all([view.ready({ timeoutMs: readyMs }), cache.ready({ timeoutMs: readyMs })])
    let fewestInstances = view.all().length
    let emptyPicks = 0
    const looking = setInterval(() => {
      fewestInstances = Math.min(fewestInstances, view.all().length)
      if (view.pick() === undefined) emptyPicks += 1
    }, lookEveryMs)
    return {
      count: () => ({ instances: view.all().length }),
      async finish() {
        clearInterval(looking)
        return { events, fewestInstances, emptyPicks, ...seen(view, cache) }
      },
      close: () => zookeeper.close(),
    }
  },
)

function seen(
  view: ServiceView,
  cache: Cache<Buffer>,
): Pick<ReaderOutcome, 'instances' | 'registers' | 'isStale'> {
  const registers = [...cache.current()].map(
    ([path, { value, stat }]) => [path, { version: stat.version, data: value.toString() }] as const,
  )
  return {
    instances: view
      .all()
      .map(({ id }) => id)
      .sort(),
    registers: new Map<string, Register>(registers),
    isStale: view.stale || cache.stale,
  }
}
