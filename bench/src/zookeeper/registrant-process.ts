// A client with many registrations in a process of its own.
import { createZookeeper, type Registration } from '@ha/zookeeper'
import { wallMs } from '../harness/timing.ts'
import { type ClientEvent, runAsWorker } from '../harness/worker.ts'
import { forwardEvents } from './clients.ts'
import {
  type RegistrantCount,
  type RegistrantOutcome,
  type RegistrantSetup,
  serviceName,
} from './recipe-clients.ts'

// As long as a busy machine may take.
const readyMs = 25_000

// Asks for something all the time, so that the last request that was answered is never old.
const askEveryMs = 20

runAsWorker<RegistrantSetup, RegistrantCount, RegistrantOutcome>(
  async ({ connect, sessionTimeoutMs, basePath, instances }) => {
    const events: ClientEvent[] = []
    const tell = (name: string, facts: ClientEvent['facts']): unknown =>
      events.push({ atMs: wallMs(), name, facts })
    const zookeeper = createZookeeper({ connect, sessionTimeoutMs })
    forwardEvents(zookeeper, tell)
    await zookeeper.ready()
    const discovery = zookeeper.discovery({ basePath })
    const registrations = Array.from({ length: instances }, (_, i) =>
      discovery.register({ name: serviceName, id: `g${i}`, address: '127.0.0.1', port: 1_000 + i }),
    )
    const count = (): number => registeredOf(registrations)
    for (const { events: each } of registrations)
      each.on('state', ({ kind }) => {
        if (kind === 'registered' && count() === instances) tell('registered', { instances })
      })
    await Promise.all(registrations.map((registration) => registration.ready({ timeoutMs: readyMs })))
    const asking = setInterval(() => void zookeeper.exists(basePath).catch(() => undefined), askEveryMs)
    return {
      count: () => ({ registered: count() }),
      async finish() {
        clearInterval(asking)
        return { events, registered: count() }
      },
      close: () => zookeeper.close(),
    }
  },
)

function registeredOf(registrations: readonly Registration[]): number {
  return registrations.filter(({ state }) => state.kind === 'registered').length
}
