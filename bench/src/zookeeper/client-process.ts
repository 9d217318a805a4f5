// Entry point of a process that runs one client under test.

import { wallMs } from '../harness/timing.ts'
import type { TrafficCount } from '../harness/traffic.ts'
import { type ClientEvent, runAsWorker } from '../harness/worker.ts'
import { adapterNamed } from './clients.ts'
import { type ClientRunResult, type ClientRunSetup, startAttachedTo, startTraffic } from './traffic.ts'

const lookEveryMs = 25

runAsWorker<ClientRunSetup, TrafficCount, ClientRunResult>(
  async ({ client: name, rates, attachment, ...setup }) => {
    const events: ClientEvent[] = []
    const report = (event: string, facts: ClientEvent['facts']): unknown =>
      events.push({ atMs: wallMs(), name: event, facts })
    const client = await startAttachedTo(adapterNamed(name), { ...setup, onEvent: report }, attachment)
    const traffic = startTraffic(client, rates)
    let attachedTo = client.attachedTo()
    const looking = setInterval(() => {
      const now = client.attachedTo()
      if (now !== undefined && now !== attachedTo) report('attached', { from: attachedTo, to: now })
      attachedTo = now ?? attachedTo
    }, lookEveryMs)
    return {
      count: () => traffic.count,
      async finish(settleMs) {
        traffic.stop()
        await traffic.settled(settleMs)
        clearInterval(looking)
        return { ops: traffic.ops, events }
      },
      close: () => client.close(),
    }
  },
)
