// Entry point of a process that runs one client under test.

import { wallMs } from '../harness/timing.ts'
import { type Note, runAsWorker } from '../harness/worker.ts'
import { adapterNamed } from './clients.ts'
import { type ClientRunResult, type ClientRunSetup, Traffic, type TrafficCount } from './traffic.ts'

runAsWorker<ClientRunSetup, TrafficCount, ClientRunResult>(async (setup) => {
  const notes: Note[] = []
  const traffic = new Traffic((content) => client.publish(content), setup.ratePerSecond)
  const client = await adapterNamed(setup.client).start({
    endpoints: setup.endpoints,
    queue: setup.queue,
    consumeArguments: setup.consumeArguments,
    retryMs: setup.retryMs,
    onMessage: (content, redelivered) => traffic.consume(content, redelivered),
    onNote: (text) => notes.push({ atMs: wallMs(), text }),
  })
  traffic.start()
  return {
    count: () => traffic.count,
    async finish(settleMs) {
      traffic.stop()
      await traffic.settled(settleMs)
      return { log: traffic.log(), notes }
    },
    close: () => client.close(),
  }
})
