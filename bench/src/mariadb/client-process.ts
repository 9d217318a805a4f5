// Entry point of a process that runs one client under test.

import { wallMs } from '../harness/timing.ts'
import type { TrafficCount } from '../harness/traffic.ts'
import { type ClientEvent, runAsWorker } from '../harness/worker.ts'
import { adapterNamed } from './clients.ts'
import { type ClientRunResult, type ClientRunSetup, startTraffic } from './traffic.ts'

runAsWorker<ClientRunSetup, TrafficCount, ClientRunResult>(async ({ client: name, rates, ...setup }) => {
  const events: ClientEvent[] = []
  const client = await adapterNamed(name).start({
    ...setup,
    onEvent: (event, facts) => events.push({ atMs: wallMs(), name: event, facts }),
  })
  const traffic = startTraffic(client, rates)
  return {
    count: () => traffic.count,
    async finish(settleMs) {
      traffic.stop()
      await traffic.settled(settleMs)
      return { ops: traffic.ops, events }
    },
    close: () => client.close(),
  }
})
